target "app" {}
target "_base" {}
group "all" {
  targets = ["app"]
}
