target "a" {
  args = { V = "a" }
  annotations = ["x=1"]
}
target "b" {
  inherits = ["a"]
  args = { V = "b" }
}
target "c" {
  inherits = ["a"]
}
target "d" {
  inherits = ["b", "c"]
}
