target "a" {
  output = ["type=registry", "type=image"]
}
