target "base" {
  tags = ["base"]
}
target "app" {
  contexts = { baseapp = "target:base" }
}
