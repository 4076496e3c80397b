target "app" {
  tags = [join(",", "x")]
}
