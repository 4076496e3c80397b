group "default" {
  targets = ["app"]
}
variable "ITEMS" {
  default = [
    { tgt = "foo", version = "1.0" },
    { tgt = "bar", version = "2.0" },
  ]
}
target "app" {
  name = "app-${item.tgt}-${replace(item.version, ".", "-")}"
  matrix = { item = ITEMS }
  target = item.tgt
  args = { VERSION = item.version }
}
target "other" {
  tags = [target.app-foo-1-0.args.VERSION]
}
