include = [
  "missing.hcl", # ERROR: Cannot include: no such file or directory
  "", # ERROR: Cannot include: empty
  "builtin:max-chnges", # ERROR: Cannot include: Did you mean "max-changes"?
  "ten-mistake.hcl", # ERROR: Cannot include: Did you mean "ten-mistakes.hcl"?
]
