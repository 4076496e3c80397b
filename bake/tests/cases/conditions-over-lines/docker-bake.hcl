variable "PLATFORMS" {
  default = null
}

variable "FOLDER" {
  default = ""
}

variable "OTHER" {
  default = "."
}

function "folder" {
  params = [name]
  result = FOLDER != "" ? FOLDER : "./bin/${name}"
}

target "default" {
  name       = "check-${md5(dockerfile)}"
  dockerfile = dockerfile
  matrix = {
    dockerfile = [
      "Dockerfile",
      "./deploy/Dockerfile",
    ]
  }
  contexts = OTHER != "." ? {
    "other" = "target:other"
  } : null
  args = {
    UNSET = PLATFORMS == "1" ? "yes" : null
  }
  platforms = (dockerfile == "Dockerfile" || OTHER == "x") && PLATFORMS != null ? [
    "linux/amd64",
    "linux/arm64"
  ] : []
  output = [
    "${FOLDER}",
    folder("out"),
  ]
}

target "other" {}
