group "all" {
  targets = ["app", "dbb"]
}
target "app" {}
target "db" {}
