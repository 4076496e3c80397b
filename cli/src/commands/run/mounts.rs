//! `-v` and `--tmpfs`: what is mounted into a container.

use tug_builder::Volume;
use tug_runtime::Mount;

use crate::arguments::sandbox::{self, target_path};
use crate::arguments::values;
use crate::error::CommandError;

/// `-v SOURCE:TARGET[:OPTIONS]`.
pub(super) fn volume(text: &str) -> Result<Volume, CommandError> {
    sandbox::volume(text).map_err(|problem| CommandError::usage(format_args!("`-v {text}`: {problem}")))
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
    Ok(Mount::Tmpfs { target: target_path(target).map_err(wrong)?, size, mode: Some(mode) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Stream;

    #[test]
    fn a_tmpfs_may_have_a_size_and_a_mode() {
        let shown = |text: &str| match tmpfs(text) {
            Ok(Mount::Tmpfs { target, size, mode }) => {
                format!("{} {size:?} {:o}", target.display(), mode.unwrap_or_default())
            }
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
