//! Paths and addresses as text. Paths are cleaned as Go's `path.Clean` does it, for buildx shows them so.

/// The shortest way to write the path: no `.`, no `..` that can be resolved, no slash at the end.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"..") => parts.push(".."),
                Some(_) => drop(parts.pop()),
                None if rooted => {}
                None => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// Whether a context is somewhere else: at an HTTP address or in a git repository.
pub fn is_remote(context: &str) -> bool {
    const SCHEMES: [&str; 4] = ["http://", "https://", "git://", "ssh://"];
    let lower = context.to_lowercase();
    SCHEMES.iter().any(|scheme| lower.starts_with(scheme))
        || lower.starts_with("git@")
        || lower.starts_with("github.com/")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_is_written_in_the_shortest_way() {
        for (path, cleaned) in [
            ("", "."),
            (".", "."),
            ("./a//b/", "a/b"),
            ("a/../..", ".."),
            ("../../a", "../../a"),
            ("/../a/.", "/a"),
            ("/", "/"),
        ] {
            assert_eq!(super::clean(path), cleaned, "{path}");
        }
    }
}
