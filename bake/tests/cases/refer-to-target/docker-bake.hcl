target "base" {
  args = { VERSION = 3, OTHER = "o" }
  tags = ["base:1"]
  platforms = ["linux/amd64"]
}
target "app" {
  args = {
    FROM_BASE = target.base.args.VERSION
    SUM = target.base.args.VERSION + 1
    NAME = target.base.name
    DOCKERFILE = try(target.base.dockerfile, "none") == null ? "unset" : "set"
  }
  tags = concat(target.base.tags, ["app"])
  platforms = target.base.platforms
}
