target "app" {
  description = "All there is"
  annotations = ["index,manifest:org.opencontainers.image.authors=me", "a=b"]
  args = {
    TEXT = "t"
    NUMBER = 1
    REAL = 1.50
    TRUTH = true
    NOTHING = null
    DOLLAR = "$${HOME}"
  }
  attest = ["type=provenance,mode=max", { type = "sbom", disabled = true }]
  cache-from = ["user/app:cache", "type=local,src=cache", { type = "gha", scope = "x" }]
  cache-to = [{ type = "local", dest = "cache" }]
  call = "check"
  context = "./app/../src/"
  contexts = {
    base = "docker-image://alpine:3"
    files = "../files"
    gone = ""
  }
  dockerfile = "deploy/Dockerfile"
  dockerfile-inline = <<-EOT
    FROM base
      RUN true
  EOT
  entitlements = ["security.insecure"]
  extra-hosts = { db = "10.0.0.1" }
  labels = { "org.example.name" = "app", empty = "" }
  network = "host"
  no-cache = false
  no-cache-filter = ["build"]
  output = ["out", "-", "type=image,name=a,push=true", { type = "local", dest = "x,y" }]
  platforms = ["linux/amd64", "linux/arm64", "linux/amd64"]
  policy = [{ filename = "policy.rego", strict = true }]
  pull = true
  resources = { memory = "1g", cpu-shares = 512 }
  secret = ["id=token,env=TOKEN", "type=file,id=key,src=key.pem", { id = "other", env = "OTHER" }, "type=env,id=e,source=E"]
  shm-size = "128m"
  ssh = ["default", "key=a.pem,b.pem", { id = "o", paths = ["c.pem"] }]
  tags = ["app:1", "app:2", "", "app:1"]
  target = "release"
  ulimits = ["nofile=1024:2048"]
}
