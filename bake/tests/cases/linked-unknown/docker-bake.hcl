target "base" {}
target "a" {
  contexts = { x = "target:bsae" }
}
