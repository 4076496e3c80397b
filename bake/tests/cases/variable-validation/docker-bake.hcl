variable "TAG" {
  type = string
  description = "A tag"
  default = "latest"
  validation {
    condition = TAG != ""
    error_message = "TAG is empty"
  }
  validation {
    condition = length(regexall("^(latest|v[0-9]+)$", TAG)) > 0
    error_message = "The tag must be latest or v1, not ${TAG}."
  }
}
target "app" {}
