target "app" {
  tags = ["x-${["a"]}"]
}
