//! Values of flags about what a container gets: hosts, limits, capabilities, volumes, devices.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Component, Path, PathBuf};

use tug_builder::{Access, Volume};
use tug_runtime::{Resource, Ulimit, capabilities};

use super::values;
use crate::suggest;

/// `NAME:ADDRESS` or `NAME=ADDRESS`. `host-gateway` is this machine: steps share its network, so that is where they
/// reach it.
pub(crate) fn host(text: &str) -> Result<(String, IpAddr), String> {
    let at = text.find('=').or_else(|| text.find(':'));
    let (name, address) = at.map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
    let is_name = !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    if !is_name || address.is_empty() {
        return Err(format!("`{text}` is not a host: expected `NAME:ADDRESS`"));
    }
    if address == "host-gateway" {
        return Ok((name.to_owned(), Ipv4Addr::LOCALHOST.into()));
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let address = bare.parse().map_err(|_| format!("`{address}` of the host `{name}` is not an address"))?;
    Ok((name.to_owned(), address))
}

/// The names of [`ulimit`], as docker has them.
const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `NAME=SOFT[:HARD]`; -1 and `unlimited` are no limit.
pub(crate) fn ulimit(text: &str) -> Result<Ulimit, String> {
    let (name, values) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not a limit: expected `NAME=SOFT[:HARD]`"))?;
    let resource =
        Resource::named(name).ok_or_else(|| unknown("limit", name, &ULIMITS.map(str::to_owned)))?;
    let number = |value: &str| match value {
        "-1" | "unlimited" => Ok(None),
        value => {
            value.parse().map(Some).map_err(|_| format!("`{value}` is not a number: this is about `{text}`"))
        }
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (number(soft)?, number(hard)?);
    if hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard)) {
        return Err(format!(
            "the first number of `{text}` is larger than the second: expected `NAME=SOFT:HARD`"
        ));
    }
    Ok(Ulimit { resource, soft, hard })
}

/// A capability by its name, with or without `CAP_`; `ALL` is every one.
pub(crate) fn capability(text: &str) -> Result<capabilities::Set, String> {
    capabilities::named(text).ok_or_else(|| {
        let plain = text.to_ascii_uppercase();
        unknown("capability", plain.trim_start_matches("CAP_"), &capabilities::NAMES.map(str::to_owned))
    })
}

/// Memory and swap together; -1 is as much as there is.
pub(crate) fn memory_and_swap(text: &str) -> Result<u64, String> {
    if text == "-1" { Ok(u64::MAX) } else { values::bytes(text) }
}

/// A list of processors or memory nodes: `0-3,8`.
pub(crate) fn number_list(text: &str) -> Result<String, String> {
    let is_part = |part: &str| match part.split_once('-') {
        Some((first, last)) => {
            matches!((first.parse::<u32>(), last.parse::<u32>()), (Ok(first), Ok(last)) if first <= last)
        }
        None => part.parse::<u32>().is_ok(),
    };
    match text.split(',').all(is_part) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is not a list of numbers: expected for example `0-3,8`")),
    }
}

/// Microseconds; 0, which docker also writes as -1, is no limit.
pub(crate) fn quota(text: &str) -> Result<u64, String> {
    match text {
        "0" | "-1" => Ok(0),
        _ => match text.parse() {
            Ok(number @ 1_000..) => Ok(number),
            _ => {
                Err(format!("`{text}` is not a time for `cpu-quota`: expected microseconds, at least `1000`"))
            }
        },
    }
}

/// Microseconds, a millisecond to a second.
pub(crate) fn period(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number @ 1_000..=1_000_000) => Ok(number),
        _ => Err(format!(
            "`{text}` is not a time for `cpu-period`: expected microseconds, `1000` to `1000000`"
        )),
    }
}

/// A weight, at least 2.
pub(crate) fn shares(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(number @ 2..=262_144) => Ok(number),
        _ => Err(format!(
            "`{text}` is not a number of shares: expected `2` to `262144`, where `1024` is usual"
        )),
    }
}

/// The path of a control group. It stays below the root of the groups.
pub(crate) fn control_group(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::RootDir));
    match is_plain && path.components().any(|part| matches!(part, Component::Normal(_))) {
        true => Ok(path.to_owned()),
        false => Err(format!("`{text}` is not a control group: expected a path such as `/builds`")),
    }
}

/// `SOURCE:TARGET[:OPTIONS]`. The source must exist: a folder made by mistake helps nobody.
pub(crate) fn volume(text: &str) -> Result<Volume, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [_] => {
            return Err(format!(
                "`{text}` is no `SOURCE:TARGET`: tug has no volumes of its own, name a folder"
            ));
        }
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => return Err(format!("`{text}` has more than two colons")),
    };
    if !source.starts_with(['/', '.', '~']) {
        return Err(format!(
            "`{source}` is not a path, and tug has no named volumes: for a folder write `./{source}:{target}`"
        ));
    }
    let absolute = std::path::absolute(source).map_err(|error| format!("cannot find `{source}`: {error}"))?;
    let found = absolute.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("there is no `{source}`: make it first"),
        _ => format!("cannot use `{source}`: {}", crate::error::io_text(&error)),
    })?;
    let mut volume =
        Volume { source: absolute, target: target_path(target)?, access: Access::Write, owned: false };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" | "readonly" => volume.access = Access::Read,
            "rw" => {}
            "O" if found.is_dir() => volume.access = Access::Discard,
            "O" => return Err(format!("`O` is for folders, and `{source}` is a file")),
            "U" => volume.owned = true,
            // Containers have no SELinux label of their own that would keep them from a folder of the user's. The
            // others say how it is mounted anyway, or are for virtual machines.
            "z" | "Z" | "rbind" | "bind" | "private" | "rprivate" | "cached" | "delegated" | "consistent" => {
            }
            other => {
                let known = ["ro", "rw", "z", "Z", "U", "O"].map(str::to_owned);
                return Err(unknown("option", other, &known));
            }
        }
    }
    if volume.owned && volume.access != Access::Write {
        return Err(format!("`U` changes owners in `{source}`, which `ro` and `O` promise to leave alone"));
    }
    Ok(volume)
}

/// An absolute path below `/`.
pub(crate) fn target_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    match path.is_absolute() && path.components().count() > 1 {
        true => Ok(path.to_owned()),
        false => Err(format!("the target `{text}` must be an absolute path below `/`")),
    }
}

/// A device: a node of this machine, or a name of the Container Device Interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceFlag {
    /// The node and its path in the container.
    Node(PathBuf, PathBuf),
    /// `vendor/class=name`.
    Named(String),
}

/// `/dev/x[:TARGET[:rwm]]`, or `VENDOR/CLASS[=NAME]`.
pub(crate) fn device(text: &str) -> Result<DeviceFlag, String> {
    if !text.starts_with('/') {
        return match text.split_once('/') {
            Some((vendor, class)) if !vendor.is_empty() && !class.is_empty() => {
                Ok(DeviceFlag::Named(text.to_owned()))
            }
            _ => Err(format!("`{text}` is not a device: expected `/dev/NAME` or `VENDOR/CLASS=NAME`")),
        };
    }
    let parts: Vec<&str> = text.split(':').collect();
    let rights = |text: &str| !text.is_empty() && text.chars().all(|letter| "rwm".contains(letter));
    let (source, target) = match parts.as_slice() {
        [source] => (*source, *source),
        [source, last] if rights(last) => (*source, *source),
        [source, target] => (*source, *target),
        [source, target, last] if rights(last) => (*source, *target),
        _ => return Err(format!("`{text}` is not a device: expected `SOURCE[:TARGET[:rwm]]`")),
    };
    let found = Path::new(source)
        .metadata()
        .map_err(|error| format!("cannot use the device `{source}`: {}", crate::error::io_text(&error)))?;
    use std::os::unix::fs::FileTypeExt;
    match found.file_type().is_char_device() || found.file_type().is_block_device() {
        true => Ok(DeviceFlag::Node(source.into(), target_path(target)?)),
        false => Err(format!("`{source}` is not a device: for files and folders use `--volume`")),
    }
}

fn unknown(kind: &str, name: &str, known: &[String]) -> String {
    match suggest::closest(name, known) {
        Some(similar) => format!("no {kind} is called `{name}`: did you mean `{similar}`?"),
        None => format!("no {kind} is called `{name}`: they are {}", list(known)),
    }
}

fn list(words: &[impl Display]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_understood_in_both_spellings() {
        let localhost: IpAddr = Ipv4Addr::LOCALHOST.into();
        for (text, name, address) in [
            ("a:127.0.0.1", "a", localhost),
            ("a.b-c=127.0.0.1", "a.b-c", localhost),
            ("docker:host-gateway", "docker", localhost),
            ("six:::1", "six", "::1".parse().unwrap()),
            ("six=[2001:db8::1]", "six", "2001:db8::1".parse().unwrap()),
        ] {
            assert_eq!(host(text), Ok((name.to_owned(), address)), "{text}");
        }
        for bad in
            ["", "a", "a:", ":127.0.0.1", "a:localhost", "a b:1.2.3.4", "a:1.2.3.4.5", "a\n1.1.1.1 b:1.1.1.1"]
        {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_have_dockers_syntax() {
        let limit = |text: &str| ulimit(text).map(|limit| (limit.soft, limit.hard));
        assert_eq!(limit("nofile=1024"), Ok((Some(1024), Some(1024))));
        assert_eq!(limit("nofile=1024:2048"), Ok((Some(1024), Some(2048))));
        assert_eq!(limit("core=-1"), Ok((None, None)));
        assert_eq!(limit("core=0:unlimited"), Ok((Some(0), None)));
        assert_eq!(ulimit("nofiles=1").unwrap_err(), "no limit is called `nofiles`: did you mean `nofile`?");
        for bad in ["nofile", "nofile=", "nofile=x", "nofile=2:1", "nofile=-1:5", "=1"] {
            assert!(ulimit(bad).is_err(), "{bad}");
        }
        for name in ULIMITS {
            assert!(Resource::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_that_are_none_are_mended() {
        assert_eq!(capability("net_admin"), Ok(1 << 12));
        assert!(capability("CAP_NET_ADMN").unwrap_err().contains("did you mean `NET_ADMIN`?"));
        assert_eq!(number_list("0-3,8"), Ok("0-3,8".to_owned()));
        for bad in ["", "3-1", "a", "1,", "0 1"] {
            assert!(number_list(bad).is_err(), "{bad}");
        }
        assert_eq!((quota("-1"), quota("5000")), (Ok(0), Ok(5000)));
        assert!(quota("1").is_err() && period("0").is_err() && shares("1").is_err());
        assert!(control_group("/a/b").is_ok());
        for bad in ["", "/", "../x", "a/../b", "."] {
            assert!(control_group(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn volumes_say_what_becomes_of_changes() {
        let made = |text: &str| volume(text).map(|volume| (volume.access, volume.owned));
        assert_eq!(made("/tmp:/a"), Ok((Access::Write, false)));
        assert_eq!(made("/tmp:/a:ro,z"), Ok((Access::Read, false)));
        assert_eq!(made("/tmp:/a:O,Z"), Ok((Access::Discard, false)));
        assert_eq!(made("/tmp:/a:U"), Ok((Access::Write, true)));
        assert!(volume("./:/a").unwrap().source.is_absolute());
        for (bad, part) in [
            ("data:/x", "tug has no named volumes"),
            ("/tmp", "is no `SOURCE:TARGET`"),
            ("/tmp:x", "absolute path"),
            ("/tmp:/", "absolute path"),
            ("/missing-here:/x", "make it first"),
            ("/tmp:/x:rx", "did you mean `ro`?"),
            ("/tmp:/x:U,ro", "promise to leave alone"),
            ("/etc/passwd:/x:O", "is a file"),
            ("/tmp:/x:ro:z", "two colons"),
        ] {
            let told = volume(bad).unwrap_err();
            assert!(told.contains(part), "{bad}: {told}");
        }
    }

    #[test]
    fn devices_are_nodes_or_names() {
        let null = PathBuf::from("/dev/null");
        assert_eq!(device("/dev/null"), Ok(DeviceFlag::Node(null.clone(), null.clone())));
        assert_eq!(device("/dev/null:rw"), Ok(DeviceFlag::Node(null.clone(), null.clone())));
        assert_eq!(device("/dev/null:/dev/x:rwm"), Ok(DeviceFlag::Node(null, "/dev/x".into())));
        assert_eq!(device("v.com/gpu=all"), Ok(DeviceFlag::Named("v.com/gpu=all".to_owned())));
        for bad in ["", "gpu", "/dev/missing-here", "/etc/passwd", "/dev/null:x", "/dev/null:/a:z", "/x=1"] {
            assert!(device(bad).is_err(), "{bad}");
        }
    }
}
