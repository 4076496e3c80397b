//! The ids that the administrator gave to a user: `/etc/subuid` and `/etc/subgid`.
//!
//! A line is `user:first:count`, where the user is a name or a number (`subuid(5)`). Lines that say something else
//! are passed over, as `newuidmap` does.

use std::path::Path;

use rustix::process::getuid;

/// User ids or group ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Group,
}

impl Kind {
    /// The file with the ranges.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::User => "/etc/subuid",
            Self::Group => "/etc/subgid",
        }
    }
}

/// Consecutive ids of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// The ranges of the user we are outside of any user namespace that we have entered.
pub(crate) fn ranges(kind: Kind) -> Vec<Range> {
    let id = outer_id();
    let name = name_of(&read(Path::new("/etc/passwd")), id);
    parse(&read(Path::new(kind.file())), name.as_deref(), id)
}

/// That user's name, or its number where it has none.
pub(crate) fn outer_user() -> String {
    let id = outer_id();
    name_of(&read(Path::new("/etc/passwd")), id).unwrap_or_else(|| id.to_string())
}

/// Our user id as the namespace around ours has it.
fn outer_id() -> u32 {
    outside(&read(Path::new("/proc/self/uid_map")), getuid().as_raw())
}

fn outside(map: &str, id: u32) -> u32 {
    let mapped = map.lines().find_map(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u32>);
        let (inner, outer, count) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
        let offset = id.checked_sub(inner).filter(|&offset| offset < count)?;
        outer.checked_add(offset)
    });
    mapped.unwrap_or(id)
}

fn parse(text: &str, name: Option<&str>, id: u32) -> Vec<Range> {
    let number = id.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let user = fields.next()?;
            if Some(user) != name && user != number {
                return None;
            }
            let range = Range { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
            let fits = range.count > 0 && range.first.checked_add(range.count).is_some();
            fits.then_some(range)
        })
        .collect()
}

fn name_of(passwd: &str, id: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let text = "root:1:2\nme:100000:65536\n# me:1:1\n1500:200000:10\nme:x:1\nme:5\nme:300000:0\n";
        let expected = [Range { first: 100_000, count: 65536 }, Range { first: 200_000, count: 10 }];
        assert_eq!(parse(text, Some("me"), 1500), expected);
        assert_eq!(parse(text, None, 1500), expected[1..]);
        assert_eq!(parse(text, Some("you"), 7), []);
    }

    #[test]
    fn who_we_are_outside_is_read_from_the_map() {
        assert_eq!(outside("0 1500 1\n1 100000 65536\n", 0), 1500);
        assert_eq!(outside("0 1500 1\n1 100000 65536\n", 5), 100_004);
        assert_eq!(outside("0 0 4294967295\n", 7), 7);
    }

    #[test]
    fn a_range_beyond_all_ids_is_passed_over() {
        assert_eq!(parse("me:4294967295:2\n", Some("me"), 1), []);
    }

    #[test]
    fn the_name_is_that_of_the_first_line_with_the_id() {
        let passwd = "root:x:0:0::/root:/bin/sh\nme:x:1500:1500::/:/bin/sh\nagain:x:1500:1500::/:/bin/sh\n";
        assert_eq!(name_of(passwd, 1500).as_deref(), Some("me"));
        assert_eq!(name_of(passwd, 1), None);
    }
}
