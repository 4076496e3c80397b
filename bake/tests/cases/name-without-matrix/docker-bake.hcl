target "app" {
  name = "web"
}
