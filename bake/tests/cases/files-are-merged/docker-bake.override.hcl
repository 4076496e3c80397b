variable "TAG" { default = "two" }
shared = "from the override"
group "default" { targets = ["app", "db"] }
target "app" {
  args = { A = "2" }
  cache-from = ["b"]
}
target "db" {}
