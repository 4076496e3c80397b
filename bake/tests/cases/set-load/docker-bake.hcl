target "a" {}
target "b" {
  output = ["type=local,dest=x"]
}
target "c" {
  output = ["type=registry"]
}
