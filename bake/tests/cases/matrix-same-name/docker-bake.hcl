target "app" {
  matrix = {
    tgt = ["foo", "bar"]
  }
}
