//! Paths as text.

/// The path without `.`, `..`, `//` and `/` at either end; `.` for the root.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// The same as an absolute path.
pub(crate) fn clean_absolute(path: &str) -> String {
    match clean(path).as_str() {
        "." => "/".to_owned(),
        clean => format!("/{clean}"),
    }
}
