target "a" {
  tags = target.app.tags
}
target "app" {
  tags = target.a.tags
}
