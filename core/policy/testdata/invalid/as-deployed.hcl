apply {
  config = "as_deployed" # ERROR: Not in this version: will come
}
