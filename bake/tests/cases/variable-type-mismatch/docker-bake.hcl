variable "PORTS" {
  type = list(number)
  default = [80]
}
target "app" {}
