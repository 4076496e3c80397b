variable "A" {
  type = lst(string)
}
target "app" {}
