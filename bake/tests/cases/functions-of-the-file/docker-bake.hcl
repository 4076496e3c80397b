function "increment" {
  params = [number]
  result = number + 1
}
function "tag" {
  params = [name]
  variadic_params = versions
  result = [for v in versions : "${name}:${v}"]
}
function "twice" {
  params = [number]
  result = increment(increment(number))
}
target "app" {
  tags = tag("app", "1", "2")
  args = { N = twice(increment(1)), L = length(tag("x")) }
}
