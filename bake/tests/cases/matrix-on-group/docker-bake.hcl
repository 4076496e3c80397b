group "all" {
  matrix = { a = ["b"] }
  targets = []
}
