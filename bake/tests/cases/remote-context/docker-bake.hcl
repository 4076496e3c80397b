target "app" {
  context = "https://github.com/docker/cli.git#v20.10.9"
  contexts = { src = "./x/" }
}
