//! Cleans the names of entries: what comes out is a path below the root, or an error.

use super::error::TarError;
use super::limits::Limits;
use crate::entry::shown;

/// The longest name that a directory of any file system can hold.
const LONGEST_COMPONENT: usize = 255;

/// Drops leading slashes, `.` and double slashes; refuses `..`. The root comes out empty.
pub(crate) fn clean(name: &[u8], limits: &Limits) -> Result<Vec<u8>, TarError> {
    let refuse = |reason| Err(TarError::Name { name: shown(name), reason });
    if name.is_empty() {
        return refuse("it is empty");
    }
    if name.len() > limits.path {
        return refuse("it is too long");
    }
    if name.contains(&0) {
        return refuse("it holds a NUL");
    }
    let mut path = Vec::with_capacity(name.len());
    for component in name.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => continue,
            b".." => return refuse("it has `..` in it"),
            _ if component.len() > LONGEST_COMPONENT => {
                return refuse("a part of it is longer than 255 bytes");
            }
            _ => {}
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(component);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_to_paths_below_the_root() {
        for (name, path) in [
            ("a", "a"),
            ("./a//b/./c/", "a/b/c"),
            ("/etc/passwd", "etc/passwd"),
            ("./", ""),
            ("/", ""),
            ("...", "..."),
        ] {
            assert_eq!(clean(name.as_bytes(), &Limits::default()).unwrap(), path.as_bytes(), "{name}");
        }
    }

    #[test]
    fn names_that_lead_out_or_fit_nowhere_are_refused() {
        let long = "x".repeat(256);
        for name in ["", "..", "../x", "a/../b", "a/..", "a\0b", &long, &"a/".repeat(40_000)] {
            assert!(clean(name.as_bytes(), &Limits::default()).is_err(), "{name}");
        }
    }
}
