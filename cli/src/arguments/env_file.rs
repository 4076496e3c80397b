//! Files with variables: `--env-file`, `--build-arg-file`.

use std::fs;
use std::path::Path;

use super::values::Assignment;
use crate::error::CommandError;

/// Larger than any environment that a process can have.
const LIMIT: u64 = 4 << 20;

/// Lines `NAME=VALUE` or `NAME`; empty lines and those that start with `#` are left out. Nothing is unquoted.
pub(crate) fn read_env_file(path: &Path) -> Result<Vec<Assignment>, CommandError> {
    let failed = || CommandError::failed(format_args!("cannot read the variables in `{}`", path.display()));
    let size = fs::metadata(path).map_err(|error| failed().because(&error))?.len();
    if size > LIMIT {
        return Err(failed().hint("it has more than 4 MB"));
    }
    let text = fs::read_to_string(path).map_err(|error| failed().because(&error))?;
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    lines
        .map(|(number, line)| (number, line.trim_start()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            let parsed: Result<Assignment, String> = line.parse();
            match parsed {
                Ok(found) if !found.name.contains(char::is_whitespace) => Ok(found),
                _ => Err(CommandError::failed(format_args!(
                    "line {} of `{}` is not `NAME=VALUE`",
                    number + 1,
                    path.display()
                ))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_of_variables_is_refused_with_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "A=1\nB 2=3\n").unwrap();
        let error = read_env_file(file.path()).unwrap_err().text(Default::default());
        assert!(error.contains("line 2 of"), "{error}");
    }
}
