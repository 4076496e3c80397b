target "app" {
  secret = ["id=x,srcc=y"]
}
