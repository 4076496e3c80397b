target "app" {
  tags = ["app:1"]
