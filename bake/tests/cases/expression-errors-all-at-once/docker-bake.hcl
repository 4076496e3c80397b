target "app" {
  tags = [1 / 0]
}
target "db" {
  context = ["x"]
}
target "web" {
  args = { A = [] }
}
