include = ["./include-cycle.hcl"] # ERROR: Cycle of includes: include-cycle.hcl → include-cycle.hcl
