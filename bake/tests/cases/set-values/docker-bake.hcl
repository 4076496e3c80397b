target "app" {
  args = { A = "file", B = "file" }
  tags = ["file"]
  cache-from = ["type=local,src=c"]
  cache-to = ["type=gha"]
  secret = ["id=file"]
}
