target "webapp" {
  args = { B = "2" }
  tags = ["webapp:hcl"]
}
target "extra" {
  inherits = ["db"]
}
