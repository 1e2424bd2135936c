repo "a" {
  depends_on = [
} # ERROR: Invalid expression
