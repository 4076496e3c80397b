//! What the name of an image looks like.

/// Has a text the form `[host[:port]/]path[:tag][@digest]`?
pub(super) fn may_name_an_image(text: &str) -> bool {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let last_part = name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match name[last_part..].find(':') {
        Some(colon) => (&name[..last_part + colon], Some(&name[last_part + colon + 1..])),
        None => (name, None),
    };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let starts_well =
        |part: &str| part.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    let is_tag = |tag: &str| tag.len() <= 128 && starts_well(tag) && tag.bytes().all(is_word);
    let is_digest = |digest: &str| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty() && hex.len() >= 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
    };
    let mut parts = path.split('/').enumerate();
    let has_host = path.contains('/');
    let parts_are_good = parts.all(|(index, part)| {
        let may_be_host = index == 0 && has_host;
        let part = if may_be_host { part.split(':').next().unwrap_or_default() } else { part };
        let ends_well = part.ends_with(|last: char| last.is_ascii_alphanumeric());
        let is_lower = may_be_host || !part.bytes().any(|byte| byte.is_ascii_uppercase());
        part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && ends_well
            && is_lower
            && part.bytes().all(is_word)
    });
    parts_are_good && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_have_a_form() {
        for name in [
            "a",
            "debian:stable-slim",
            "localhost:5000/a/b:1",
            "Host.example/a",
            "a@sha256:0123456789abcdef0123456789abcdef",
        ] {
            assert!(may_name_an_image(name), "{name}");
        }
        for name in ["", ":1", "a:", "a/", "A", "a//b", "a:b:c", "a b", "-a", "a@", "a@sha256:x", "a:-1"] {
            assert!(!may_name_an_image(name), "{name}");
        }
    }
}
