target "app" {}
target "other" { args = { SOURCE_DATE_EPOCH = "2" } }
