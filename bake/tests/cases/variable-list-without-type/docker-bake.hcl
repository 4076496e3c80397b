variable "NAMES" {
  default = ["x"]
}
target "app" {}
