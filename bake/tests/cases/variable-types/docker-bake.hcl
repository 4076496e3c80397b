variable "NAMES" { type = list(string) }
variable "NUMBERS" { type = list(number) }
variable "MAP" { type = map(string) }
variable "DEEP" {
  type = list(object({ name = string, ports = list(number), note = optional(string) }))
  default = []
}
variable "FLAG" { type = bool }
variable "UNSET" { type = string }
variable "CONVERTED" {
  type = string
  default = 12
}
target "app" {
  tags = [for name in NAMES : "app:${name}"]
  args = {
    SUM = NUMBERS[0] + NUMBERS[1]
    Y = MAP.y
    DEEP = jsonencode(DEEP)
    FLAG = FLAG
    UNSET = UNSET
    CONVERTED = "${CONVERTED}!"
  }
}
