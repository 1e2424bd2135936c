include = [var.x] # ERROR: Include must be literal
