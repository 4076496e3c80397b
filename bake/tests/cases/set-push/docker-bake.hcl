target "a" {}
target "b" {
  output = ["type=image,name=x"]
}
target "c" {
  output = ["type=local,dest=x"]
}
