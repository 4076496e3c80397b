//! `-v` and `--tmpfs`: what is mounted into a container.

use std::io;
use std::path::{Path, PathBuf};

use tug_runtime::{BindSource, Mount};

use crate::arguments::values;
use crate::error::CommandError;

/// The mount of `-v SOURCE:TARGET[:ro]`. The source must exist: a folder made by mistake helps nobody.
pub(super) fn volume(text: &str) -> Result<Mount, CommandError> {
    let wrong = |problem: &str| CommandError::usage(format_args!("`-v {text}`: {problem}"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [_] => {
            return Err(
                wrong("expected `SOURCE:TARGET`").hint("tug has no volumes of its own: name a folder")
            );
        }
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => return Err(wrong("more than two colons")),
    };
    let is_path = source.starts_with('/') || source.starts_with('.') || source.starts_with('~');
    if !is_path {
        return Err(wrong(&format!("`{source}` is not a path"))
            .hint(format!("tug has no named volumes: for a folder write `./{source}:{target}`")));
    }
    let source = std::path::absolute(source)
        .map_err(|error| wrong(&format!("cannot find `{source}`")).because(&error))?;
    let read_only = read_only(options).map_err(|problem| wrong(&problem))?;
    if let Err(error) = source.symlink_metadata() {
        let failure = wrong(&format!("cannot use `{}`", source.display())).because(&error);
        return Err(match error.kind() {
            io::ErrorKind::NotFound => failure.hint("make it first: tug does not make folders on the host"),
            _ => failure,
        });
    }
    Ok(Mount::Bind {
        source: BindSource::Path(source),
        target: target_path(target).map_err(|problem| wrong(&problem))?,
        read_only,
        recursive: true,
    })
}

/// The mount of `--tmpfs TARGET[:size=64m,mode=1777]`.
pub(super) fn tmpfs(text: &str) -> Result<Mount, CommandError> {
    let wrong = |problem: String| CommandError::usage(format_args!("`--tmpfs {text}`: {problem}"));
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    let (mut size, mut mode) = (None, 0o1777);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("size", value)) => size = Some(values::bytes(value).map_err(wrong)?),
            Some(("mode", value)) => {
                mode = u32::from_str_radix(value, 8)
                    .ok()
                    .filter(|mode| *mode <= 0o7777)
                    .ok_or_else(|| wrong(format!("`{value}` is not a mode: expected for example `1777`")))?;
            }
            // How it is mounted anyway.
            None if matches!(option, "rw" | "nosuid" | "nodev") => {}
            _ => {
                return Err(wrong(format!("unknown option `{option}`")).hint("`size` and `mode` are known"));
            }
        }
    }
    Ok(Mount::Tmpfs { target: target_path(target).map_err(wrong)?, size, mode })
}

fn read_only(options: &str) -> Result<bool, String> {
    let mut read_only = false;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" | "readonly" => read_only = true,
            "rw" => read_only = false,
            "z" | "Z" => {
                return Err(format!("`{option}` asks for a new SELinux label, which tug does not give"));
            }
            other => return Err(format!("unknown option `{other}`: expected `ro` or `rw`")),
        }
    }
    Ok(read_only)
}

fn target_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    match path.is_absolute() && path.components().count() > 1 {
        true => Ok(path.to_owned()),
        false => Err(format!("the target `{text}` must be an absolute path below `/`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Stream;

    #[test]
    fn a_volume_shows_a_path_of_the_host() {
        let shown = |text: &str| match volume(text) {
            Ok(Mount::Bind { source: BindSource::Path(source), target, read_only, .. }) => {
                format!("{} {} {read_only}", source.display(), target.display())
            }
            Ok(other) => format!("{other:?}"),
            Err(error) => error.text(Stream::default()),
        };
        assert_eq!(shown("/etc:/x"), "/etc /x false");
        assert_eq!(shown("/etc:/x:ro"), "/etc /x true");
        assert!(shown("./src:/x").contains("/src /x false"));
        for (text, problem) in [
            ("/etc", "expected `SOURCE:TARGET`"),
            ("data:/x", "`data` is not a path"),
            ("/etc:x", "must be an absolute path"),
            ("/etc:/", "must be an absolute path"),
            ("/etc:/x:z", "SELinux"),
            ("/etc:/x:rox", "unknown option `rox`"),
            ("/a:/b:ro:d", "more than two colons"),
            ("/no/such:/x", "cannot use `/no/such`"),
        ] {
            assert!(shown(text).contains(problem), "{text}: {}", shown(text));
        }
    }

    #[test]
    fn a_tmpfs_may_have_a_size_and_a_mode() {
        let shown = |text: &str| match tmpfs(text) {
            Ok(Mount::Tmpfs { target, size, mode }) => format!("{} {size:?} {mode:o}", target.display()),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.text(Stream::default()),
        };
        assert_eq!(shown("/run"), "/run None 1777");
        assert_eq!(shown("/run:rw,size=1m,mode=755"), "/run Some(1048576) 755");
        assert!(shown("/run:mode=9").contains("not a mode"));
        assert!(shown("/run:noexec").contains("unknown option `noexec`"));
        assert!(shown("run").contains("absolute"));
    }
}
