variable "A" { default = B }
variable "B" { default = "x${C}" }
variable "C" { default = upper(A) }
target "app" {}
