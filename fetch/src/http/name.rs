//! The name under which a file from the web lands in a folder.

use super::url::HttpUrl;

/// The name of the file at `url`: the last part of its path, else what the server calls it. `None` when neither gives
/// one.
pub fn file_name(url: &HttpUrl, told: Option<&str>) -> Option<String> {
    let path = url.path();
    // A path that ends in `/` names a folder.
    let last = path.rsplit('/').next().unwrap_or_default();
    usable(last).or_else(|| told.and_then(usable))
}

/// A name that stays where it is put.
pub(super) fn usable(name: &str) -> Option<String> {
    let is_name = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']) && name.len() <= 255;
    is_name.then(|| name.to_owned())
}

/// The file name of a `Content-Disposition`, without any folders in it.
pub(super) fn disposition(header: &str) -> Option<String> {
    let parameters = header.split(';').skip(1);
    let value =
        parameters.filter_map(|parameter| parameter.trim().split_once('=')).find_map(|(name, value)| {
            name.trim().eq_ignore_ascii_case("filename").then(|| value.trim().trim_matches('"'))
        })?;
    usable(value.rsplit(['/', '\\']).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_comes_from_the_path_or_else_from_the_server() {
        let name = |url: &str, told| file_name(&url.parse().unwrap(), told);
        assert_eq!(name("http://h/a/b.tar?x=1", Some("c")).as_deref(), Some("b.tar"));
        assert_eq!(name("http://h/a%20b", None).as_deref(), Some("a b"));
        assert_eq!(name("http://h/a/", Some("c")).as_deref(), Some("c"));
        assert_eq!(name("http://h", None), None);
        assert_eq!(name("http://h/..%2f", Some("..")), None);
        assert_eq!(name("http://h/a%2f..", None), None);
    }

    #[test]
    fn what_the_server_calls_it_has_no_folders() {
        assert_eq!(disposition("attachment; filename=\"a b.txt\"").as_deref(), Some("a b.txt"));
        assert_eq!(disposition("attachment; filename=../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(disposition("inline"), None);
        assert_eq!(disposition("attachment; filename=\"..\""), None);
    }
}
