variable "TAG" {
  default = "latest"
}
variable "COUNT" {
  default = 1
}
variable "DEBUG" {
  default = false
}
variable "EMPTY" {}
variable "NOTHING" {
  default = null
}
variable "ALSO_NOTHING" {
  default = null
}
variable "MADE" {
  default = "v-${TAG}"
}
target "app" {
  tags = ["app:${TAG}", notequal("", EMPTY) ? "app:${EMPTY}" : ""]
  args = {
    COUNT = COUNT + 1
    DEBUG = DEBUG ? "yes" : "no"
    MADE = MADE
    NOTHING = NOTHING
    ALSO_NOTHING = ALSO_NOTHING
  }
}
