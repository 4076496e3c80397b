list = ["a", "b", "c"]
object = { one = { n = 1 }, two = { n = 2 } }
nested = [{ x = ["p", "q"] }, { x = ["r"] }]
target "app" {
  args = {
    index = list[1]
    legacy = list.2
    field = object.one.n
    key = object["two"].n
    splat = join(",", nested[*].x[0])
    attribute_splat = join(",", [for v in nested.*.x : v[0]])
    splat_of_null = length(null[*])
    splat_of_one = length("x"[*])
    for_list = join(",", [for i, v in list : "${i}${v}" if v != "b"])
    for_object = jsonencode({ for k, v in object : upper(k) => v.n })
    grouped = jsonencode({ for v in ["aa", "ab", "b"] : substr(v, 0, 1) => v... })
    spread = max([1, 9, 3]...)
    arithmetic = (1 + 2) * 3 - -4 / 2 % 3
    logic = !(true && false) || false
    compare = 1 < 2 && "a" != "b" && "1" != 1
    conditional = list[0] == "a" ? "yes" : "no"
    if_directive = "%{ if length(list) > 2 }many%{ else }few%{ endif }"
    for_directive = "%{ for v in list }<${v}>%{ endfor }"
    strip = "a   ${~ "b" ~}   c"
    escaped = "$${x} %%{y} \"q\" \u00e9"
    plain_dollar = "$x 100%"
    heredoc = <<EOT
first ${list[0]}
second
EOT
    (list[0]) = "computed"
    "quoted-${list[1]}" = "key"
  }
}
