target "a0" {
  contexts = { x = "target:a1", y = "target:b1" }
}
target "b0" {
  contexts = { x = "target:a1", y = "target:b1" }
}
target "a1" {
  contexts = { x = "target:a2", y = "target:b2" }
}
target "b1" {
  contexts = { x = "target:a2", y = "target:b2" }
}
target "a2" {
  contexts = { x = "target:a3", y = "target:b3" }
}
target "b2" {
  contexts = { x = "target:a3", y = "target:b3" }
}
target "a3" {
  contexts = { x = "target:a4", y = "target:b4" }
}
target "b3" {
  contexts = { x = "target:a4", y = "target:b4" }
}
target "a4" {
  contexts = { x = "target:a5", y = "target:b5" }
}
target "b4" {
  contexts = { x = "target:a5", y = "target:b5" }
}
target "a5" {
  contexts = { x = "target:a6", y = "target:b6" }
}
target "b5" {
  contexts = { x = "target:a6", y = "target:b6" }
}
target "a6" {
  contexts = { x = "target:a7", y = "target:b7" }
}
target "b6" {
  contexts = { x = "target:a7", y = "target:b7" }
}
target "a7" {
  contexts = { x = "target:a8", y = "target:b8" }
}
target "b7" {
  contexts = { x = "target:a8", y = "target:b8" }
}
target "a8" {
  contexts = { x = "target:a9", y = "target:b9" }
}
target "b8" {
  contexts = { x = "target:a9", y = "target:b9" }
}
target "a9" {
  contexts = { x = "target:a10", y = "target:b10" }
}
target "b9" {
  contexts = { x = "target:a10", y = "target:b10" }
}
target "a10" {
  contexts = { x = "target:a11", y = "target:b11" }
}
target "b10" {
  contexts = { x = "target:a11", y = "target:b11" }
}
target "a11" {
  contexts = { x = "target:a12", y = "target:b12" }
}
target "b11" {
  contexts = { x = "target:a12", y = "target:b12" }
}
target "a12" {
  contexts = { x = "target:a13", y = "target:b13" }
}
target "b12" {
  contexts = { x = "target:a13", y = "target:b13" }
}
target "a13" {
  contexts = { x = "target:a14", y = "target:b14" }
}
target "b13" {
  contexts = { x = "target:a14", y = "target:b14" }
}
target "a14" {
  contexts = { x = "target:a15", y = "target:b15" }
}
target "b14" {
  contexts = { x = "target:a15", y = "target:b15" }
}
target "a15" {
  contexts = { x = "target:a16", y = "target:b16" }
}
target "b15" {
  contexts = { x = "target:a16", y = "target:b16" }
}
target "a16" {
  contexts = { x = "target:a17", y = "target:b17" }
}
target "b16" {
  contexts = { x = "target:a17", y = "target:b17" }
}
target "a17" {
  contexts = { x = "target:a18", y = "target:b18" }
}
target "b17" {
  contexts = { x = "target:a18", y = "target:b18" }
}
target "a18" {
  contexts = { x = "target:a19", y = "target:b19" }
}
target "b18" {
  contexts = { x = "target:a19", y = "target:b19" }
}
target "a19" {
  contexts = { x = "target:a20", y = "target:b20" }
}
target "b19" {
  contexts = { x = "target:a20", y = "target:b20" }
}
target "a20" {
  contexts = { x = "target:a21", y = "target:b21" }
}
target "b20" {
  contexts = { x = "target:a21", y = "target:b21" }
}
target "a21" {
  contexts = { x = "target:a22", y = "target:b22" }
}
target "b21" {
  contexts = { x = "target:a22", y = "target:b22" }
}
target "a22" {
  contexts = { x = "target:a23", y = "target:b23" }
}
target "b22" {
  contexts = { x = "target:a23", y = "target:b23" }
}
target "a23" {
  contexts = { x = "target:a24", y = "target:b24" }
}
target "b23" {
  contexts = { x = "target:a24", y = "target:b24" }
}
target "a24" {
  contexts = { x = "target:a25", y = "target:b25" }
}
target "b24" {
  contexts = { x = "target:a25", y = "target:b25" }
}
target "a25" {
  contexts = { x = "target:a26", y = "target:b26" }
}
target "b25" {
  contexts = { x = "target:a26", y = "target:b26" }
}
target "a26" {
  contexts = { x = "target:a27", y = "target:b27" }
}
target "b26" {
  contexts = { x = "target:a27", y = "target:b27" }
}
target "a27" {
  contexts = { x = "target:a28", y = "target:b28" }
}
target "b27" {
  contexts = { x = "target:a28", y = "target:b28" }
}
target "a28" {
  contexts = { x = "target:a29", y = "target:b29" }
}
target "b28" {
  contexts = { x = "target:a29", y = "target:b29" }
}
target "a29" {
  contexts = { x = "target:a30", y = "target:b30" }
}
target "b29" {
  contexts = { x = "target:a30", y = "target:b30" }
}
target "a30" {
  contexts = { x = "target:a31", y = "target:b31" }
}
target "b30" {
  contexts = { x = "target:a31", y = "target:b31" }
}
target "a31" {
  contexts = { x = "target:a32", y = "target:b32" }
}
target "b31" {
  contexts = { x = "target:a32", y = "target:b32" }
}
target "a32" {
  contexts = { x = "target:a33", y = "target:b33" }
}
target "b32" {
  contexts = { x = "target:a33", y = "target:b33" }
}
target "a33" {
  contexts = { x = "target:a34", y = "target:b34" }
}
target "b33" {
  contexts = { x = "target:a34", y = "target:b34" }
}
target "a34" {
  contexts = { x = "target:a35", y = "target:b35" }
}
target "b34" {
  contexts = { x = "target:a35", y = "target:b35" }
}
target "a35" {
  contexts = { x = "target:a36", y = "target:b36" }
}
target "b35" {
  contexts = { x = "target:a36", y = "target:b36" }
}
target "a36" {
  contexts = { x = "target:a37", y = "target:b37" }
}
target "b36" {
  contexts = { x = "target:a37", y = "target:b37" }
}
target "a37" {
  contexts = { x = "target:a38", y = "target:b38" }
}
target "b37" {
  contexts = { x = "target:a38", y = "target:b38" }
}
target "a38" {
  contexts = { x = "target:a39", y = "target:b39" }
}
target "b38" {
  contexts = { x = "target:a39", y = "target:b39" }
}
target "a39" {
  contexts = { x = "target:end", y = "target:end" }
}
target "b39" {
  contexts = { x = "target:end", y = "target:end" }
}
target "end" {}
