target "app" {
  dockerfil = "x"
}
