group "all" {
  description = "Everything"
  targets = ["some", "c"]
}
group "some" {
  targets = ["a", "b", "a"]
}
target "a" {}
target "b" {}
target "c" {}
