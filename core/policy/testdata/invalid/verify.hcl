variable "token" {
  sensitive = true
  default   = "hunter2-hunter2"
}
repo "backend-a" {
  verify "htp" { # ERROR: Unsupported kind of verify: Did you mean "http"?
    url = "http://x"
  }
  verify { # ERROR: Missing kind for verify
  }
  verify "http" { # ERROR: Missing required argument: "url"
    pattern = "x" # ERROR: Unsupported argument: "pattern" is not expected
  }
  verify "http" {
    url      = "frontend/health" # ERROR: Invalid URL: https://frontend.example.com/health
    method   = "DELETE" # ERROR: Invalid value: "GET", "HEAD", "OPTIONS" or "POST"
    status   = [200, 20] # ERROR: Number out of range: from 100 to 599, not 20
    body     = "a(b" # ERROR: Invalid regular expression: missing closing ): `a(b`
    for      = "-1s" # ERROR: Invalid duration: must not be less than nothing
    interval = "0s" # ERROR: Invalid duration: longer than nothing
    timeout  = "5" # ERROR: Invalid duration: The unit is missing
    retries  = -1 # ERROR: Number out of range: from 0 to
    headers  = { "a b" = "x" } # ERROR: Invalid value: "a b" cannot be the name of a header
  }
  verify "http" {
    url     = "ftp://x/y" # ERROR: Invalid URL
    status  = "fine" # ERROR: Unsuitable value type: such as [200, 204]
    method  = "HEAD"
    body    = "ok" # ERROR: Unsuitable method: The answer to HEAD has no body
    headers = { x = "${var.token}\n" } # ERROR: Invalid value: not shown because sensitive
    for     = "2d" # ERROR: Invalid duration: write "48h"
  }
  verify "http" {
    url     = ["x"] # ERROR: Unsuitable value type: must be a string
    status  = [] # ERROR: Empty value: leave it out for 200
    headers = { x = null } # ERROR: Empty value: The element "x" of "headers" is null
  }
  verify "http" {
    url     = "http://x"
    status  = [null] # ERROR: Unsuitable value type
    headers = ["x"] # ERROR: Unsuitable value type: must be a map of string
  }
}
environment "prod" {
  verify "exec" { # ERROR: Missing required argument: "command"
    env = { "A=B" = "x" } # ERROR: Invalid value: "A=B" cannot be the name of an environment variable
  }
  verify "exec" {
    command = "smoke.sh --fast" # ERROR: Unsuitable value type: such as ["./smoke.sh", "--fast"]
    env     = { ROLLBACK_TO = "x" } # ERROR: Invalid value: reserved
  }
  verify "exec" {
    command = [] # ERROR: Empty value: must begin with a program
  }
  verify "exec" {
    command = ["a", null] # ERROR: Invalid value: An element of "command" is null
    dir     = "" # ERROR: Empty value
  }
  verify "exec" {
    command = 7 # ERROR: Unsuitable value type: must be a list of strings
  }
  verify "prometheus" { # ERROR: Missing required argument: "url" # ERROR: Missing required argument: "query" # ERROR: Missing required argument: "condition"
  }
  verify "prometheus" {
    url       = "http://prometheus:9090/?x=y" # ERROR: Invalid URL: without ? and #
    query     = "" # ERROR: Empty value
    condition = vallue < 1 # ERROR: Unknown variable: Did you mean "value"?
  }
  verify "prometheus" {
    url       = "http://prometheus:9090"
    query     = "up"
    condition = value # ERROR: Unsuitable result of a condition: The condition is a number
  }
  verify "prometheus" {
    url       = "http://prometheus:9090"
    query     = "up"
    condition = value < "x" # ERROR: Invalid operand: a number is required
  }
}
