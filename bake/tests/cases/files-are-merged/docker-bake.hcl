variable "TAG" { default = "one" }
shared = "from the first"
group "default" { targets = ["app"] }
target "app" {
  tags = ["app:${TAG}"]
  args = { A = "1", B = shared }
  cache-from = ["a"]
}
