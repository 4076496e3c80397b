target "app" {
  output = ["dest=x,push=true"]
}
