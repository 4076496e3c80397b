function "f" {
  params = [a, b]
  result = a
}
target "app" {
  tags = [f(1)]
}
