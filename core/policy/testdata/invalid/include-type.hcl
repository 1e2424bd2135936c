include = 7 # ERROR: Unsuitable value type: must be a list of paths
