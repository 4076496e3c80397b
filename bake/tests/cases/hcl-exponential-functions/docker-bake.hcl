function "f0" {
  params = [x]
  result = "${x}${x}"
}
function "f1" {
  params = [x]
  result = f0("${x}${x}")
}
function "f2" {
  params = [x]
  result = f1("${x}${x}")
}
function "f3" {
  params = [x]
  result = f2("${x}${x}")
}
function "f4" {
  params = [x]
  result = f3("${x}${x}")
}
function "f5" {
  params = [x]
  result = f4("${x}${x}")
}
function "f6" {
  params = [x]
  result = f5("${x}${x}")
}
function "f7" {
  params = [x]
  result = f6("${x}${x}")
}
function "f8" {
  params = [x]
  result = f7("${x}${x}")
}
function "f9" {
  params = [x]
  result = f8("${x}${x}")
}
function "f10" {
  params = [x]
  result = f9("${x}${x}")
}
function "f11" {
  params = [x]
  result = f10("${x}${x}")
}
function "f12" {
  params = [x]
  result = f11("${x}${x}")
}
function "f13" {
  params = [x]
  result = f12("${x}${x}")
}
function "f14" {
  params = [x]
  result = f13("${x}${x}")
}
function "f15" {
  params = [x]
  result = f14("${x}${x}")
}
function "f16" {
  params = [x]
  result = f15("${x}${x}")
}
function "f17" {
  params = [x]
  result = f16("${x}${x}")
}
function "f18" {
  params = [x]
  result = f17("${x}${x}")
}
function "f19" {
  params = [x]
  result = f18("${x}${x}")
}
function "f20" {
  params = [x]
  result = f19("${x}${x}")
}
function "f21" {
  params = [x]
  result = f20("${x}${x}")
}
function "f22" {
  params = [x]
  result = f21("${x}${x}")
}
function "f23" {
  params = [x]
  result = f22("${x}${x}")
}
function "f24" {
  params = [x]
  result = f23("${x}${x}")
}
function "f25" {
  params = [x]
  result = f24("${x}${x}")
}
function "f26" {
  params = [x]
  result = f25("${x}${x}")
}
function "f27" {
  params = [x]
  result = f26("${x}${x}")
}
function "f28" {
  params = [x]
  result = f27("${x}${x}")
}
function "f29" {
  params = [x]
  result = f28("${x}${x}")
}
function "f30" {
  params = [x]
  result = f29("${x}${x}")
}
function "f31" {
  params = [x]
  result = f30("${x}${x}")
}
function "f32" {
  params = [x]
  result = f31("${x}${x}")
}
function "f33" {
  params = [x]
  result = f32("${x}${x}")
}
function "f34" {
  params = [x]
  result = f33("${x}${x}")
}
function "f35" {
  params = [x]
  result = f34("${x}${x}")
}
function "f36" {
  params = [x]
  result = f35("${x}${x}")
}
function "f37" {
  params = [x]
  result = f36("${x}${x}")
}
function "f38" {
  params = [x]
  result = f37("${x}${x}")
}
function "f39" {
  params = [x]
  result = f38("${x}${x}")
}
function "f40" {
  params = [x]
  result = f39("${x}${x}")
}
function "f41" {
  params = [x]
  result = f40("${x}${x}")
}
function "f42" {
  params = [x]
  result = f41("${x}${x}")
}
function "f43" {
  params = [x]
  result = f42("${x}${x}")
}
function "f44" {
  params = [x]
  result = f43("${x}${x}")
}
function "f45" {
  params = [x]
  result = f44("${x}${x}")
}
function "f46" {
  params = [x]
  result = f45("${x}${x}")
}
function "f47" {
  params = [x]
  result = f46("${x}${x}")
}
function "f48" {
  params = [x]
  result = f47("${x}${x}")
}
function "f49" {
  params = [x]
  result = f48("${x}${x}")
}
function "f50" {
  params = [x]
  result = f49("${x}${x}")
}
function "f51" {
  params = [x]
  result = f50("${x}${x}")
}
function "f52" {
  params = [x]
  result = f51("${x}${x}")
}
function "f53" {
  params = [x]
  result = f52("${x}${x}")
}
function "f54" {
  params = [x]
  result = f53("${x}${x}")
}
function "f55" {
  params = [x]
  result = f54("${x}${x}")
}
function "f56" {
  params = [x]
  result = f55("${x}${x}")
}
function "f57" {
  params = [x]
  result = f56("${x}${x}")
}
function "f58" {
  params = [x]
  result = f57("${x}${x}")
}
function "f59" {
  params = [x]
  result = f58("${x}${x}")
}
target "app" {
  tags = [f59("aaaaaaaa")]
}
