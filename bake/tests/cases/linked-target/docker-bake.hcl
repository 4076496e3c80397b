target "base" {
  dockerfile = "base.Dockerfile"
  output = ["type=image,push=true"]
  network = "host"
}
target "app" {
  contexts = { baseapp = "target:base" }
}
