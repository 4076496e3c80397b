targt "app" {
}
