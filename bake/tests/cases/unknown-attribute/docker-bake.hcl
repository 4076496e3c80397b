target "app" {
  platform = ["linux/amd64"]
}
