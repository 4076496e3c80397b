target "base" {
  args = { Y = 1, Z = 1 }
}
target "app-a" {
  inherits = ["base"]
  tags = ["a"]
}
target "db" {
  tags = ["db"]
}
