target "app" {
  args = {
    basename = basename("/a/b.txt")
    dirname = dirname("/a/b.txt")
    sanitize = sanitize("a.b/c")
    formatdate = formatdate("YYYY-MM-DD", timestamp())
    timeadd = timeadd("2024-01-01T00:00:00Z", "36h")
    semvercmp = semvercmp("1.2.3", ">= 1.0, < 2")
    regex = regex("v([0-9]+)", "x-v12")[0]
    regex_named = regex("(?P<major>[0-9]+)\\.(?P<minor>[0-9]+)", "v1.25").minor
    regex_replace = regex_replace("foo-bar", "(\\w+)-(\\w+)", "$2-$1")
    replace = replace("a.b.c", ".", "-")
    split = split(",", "a,b")[1]
    join = join("+", ["a", "b"], ["c"])
    substr = substr("hello", 1, 3)
    title = title("hello world")
    md5 = md5("hello")
    sha256 = substr(sha256("hello"), 0, 12)
    base64 = base64decode(base64encode("ü"))
    json = jsondecode("{\"a\": [1, 2]}").a[1]
    coalesce = coalesce(null, "x", "y")
    merge = jsonencode(merge({ a = 1, b = 1 }, { b = 2 }))
    range = jsonencode(range(3))
    sort = jsonencode(sort(["b", "a"]))
    setunion = jsonencode(setunion(["b"], ["a", "b"]))
    zipmap = zipmap(["a", "b"], [1, 2]).b
    lookup = lookup({ a = 1 }, "z", "none")
    contains = contains(["a"], "a")
    element = element(["a", "b"], 3)
    format = format("%05.1f|%s", 3.14159, "x")
    try = try(jsondecode("no").a, "fallback")
    can = can(jsondecode("no"))
    convert = jsonencode(convert(["1", "2"], list(number)))
    cidrhost = cidrhost("10.0.0.0/24", 5)
    urlencode = urlencode("a b&c")
    uuidv5 = uuidv5("dns", "www.example.com")
    pow = pow(2, 10)
    divide = 7 / 2
    modulo = 7 % 4
    indexof = indexof(["a", "b"], "b")
    max = max(1, 5, 3)
    upper = upper("é")
    trim = trim("xxaxx", "x")
    csv = csvdecode("a,b\n1,2\n")[0].b
    chunk = jsonencode(chunklist(["a", "b", "c"], 2))
    flatten = jsonencode(flatten([["a"], [["b"]]]))
    indent = indent(2, "a\nb")
    parseint = parseint("ff", 16)
  }
}
