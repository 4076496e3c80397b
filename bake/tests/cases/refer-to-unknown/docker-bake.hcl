target "base" {}
target "app" {
  tags = target.bsae.tags
  args = { A = target.base.tagz }
}
