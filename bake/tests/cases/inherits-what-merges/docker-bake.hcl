target "parent" {
  tags = ["parent"]
  platforms = ["linux/amd64"]
  output = ["type=docker"]
  cache-from = ["a"]
  cache-to = ["a"]
  secret = ["id=a"]
  ssh = ["default"]
  annotations = ["a=1"]
  ulimits = ["nofile=1:1"]
  no-cache-filter = ["one"]
  entitlements = ["network.host"]
  attest = ["type=sbom", "type=provenance,mode=min"]
  contexts = { one = "1", two = "2" }
  args = { A = "parent", B = "parent" }
  pull = true
  description = "the parent"
}
target "child" {
  inherits = ["parent"]
  tags = []
  platforms = ["linux/arm64"]
  output = ["type=local,dest=out"]
  cache-from = ["b", "a"]
  cache-to = ["b"]
  secret = ["id=b"]
  ssh = ["other"]
  annotations = ["b=2"]
  ulimits = ["nproc=2:2"]
  no-cache-filter = ["two"]
  entitlements = ["security.insecure"]
  attest = ["type=provenance,mode=max"]
  contexts = { two = "", three = "3" }
  args = { A = null, B = "child" }
  pull = false
}
