target "app" {
  name = "a${x}-${y}-${z}"
  matrix = { x = range(100), y = range(100), z = range(100) }
}
