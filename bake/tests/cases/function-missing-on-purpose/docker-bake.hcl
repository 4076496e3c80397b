target "app" {
  args = { X = bcrypt("x") }
}
