repo "a {} # ERROR: Invalid multi-line string # ERROR: Invalid string literal
