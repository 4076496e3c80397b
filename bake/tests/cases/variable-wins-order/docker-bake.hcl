variable "A" { default = "default" }
variable "B" { default = "default" }
variable "D" { default = "default" }
C = "attribute"
D = "attribute"
target "app" {
  args = { A = A, B = B, C = C, D = D }
}
