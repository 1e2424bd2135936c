release {
  date_from = [] # ERROR: Empty value: at least one source
}
gap_fill { max_age = "0s" } # ERROR: Invalid duration: longer than nothing
