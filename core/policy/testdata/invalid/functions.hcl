locals {
  a = file("not-here.txt") # ERROR: Error in function call: read not-here.txt: no such file
  b = weekday("yesterday") # ERROR: Invalid function argument: is not an instant
  c = hour("2019-06-01T00:00:00Z", "Mars/Olympus") # ERROR: Invalid function argument: no time zone "Mars/Olympus". Names are those of the IANA database
  d = hour("2019-06-01T00:00:00Z", "PST") # ERROR: Invalid function argument: Did you mean "America/Los_Angeles"?
  e = timecmp("", "2019-06-01T00:00:00Z") # ERROR: Invalid function argument: not known when this was
  f = one([1, 2]) # ERROR: Invalid function argument: no element or one, not 2
  g = base64decode("!") # ERROR: Error in function call: not Base64
  h = base64decode("/w==") # ERROR: Error in function call: not UTF-8
  i = sum([1, null]) # ERROR: Invalid function argument: element 1 is null
  j = length(5) # ERROR: Invalid function argument: a string, a collection
  k = env("A", "b", "c") # ERROR: Invalid function argument: at most one default
  l = date("2019-06-01T00:00:00Z", "UTC", "UTC") # ERROR: Invalid function argument: at most one time zone
  m = one("x") # ERROR: Invalid function argument: must be a list
  n = hours_since("2019-06-01T00:00:00Z") # ERROR: Call to unknown function
}
