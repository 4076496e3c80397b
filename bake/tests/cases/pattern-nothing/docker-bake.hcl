target "app-a" {}
