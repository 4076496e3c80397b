group "all" {
  targets = ["app"]
}
target "app" {
  inherits = ["all"]
}
