//! File modes as `--chmod` takes them: octal, or symbolic as chmod(1) does.
//!
//! A symbolic mode is a list of clauses: whose bits (`u` `g` `o` `a`, all if none is named; no umask
//! applies), then one or more times `+`, `-` or `=` and what: `r` `w` `x`, `X` (executable only if it is a
//! directory or somebody could execute it before), `s` (the set-id bits of `u` and `g`), `t` (sticky), or `u`
//! `g` `o` (the bits those have now).

/// A change of file modes.
///
/// ```
/// use tug_dockerfile::Mode;
/// assert_eq!(Mode::parse("755")?.apply(0o600, false), 0o755);
/// assert_eq!(Mode::parse("u=rwX,go=rX")?.apply(0o600, false), 0o644);
/// assert_eq!(Mode::parse("u=rwX,go=rX")?.apply(0o700, true), 0o755);
/// # Ok::<(), tug_dockerfile::BadMode>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    changes: Changes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Changes {
    Absolute(u32),
    Symbolic(Vec<Change>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    operator: Operator,
    /// The bits it may touch.
    who: u32,
    bits: u32,
    /// `X`
    execute_if_any: bool,
    /// `u`, `g`, `o`: which class's bits are copied.
    copies: [bool; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Assign,
}

const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const EVERYBODY: u32 = SET_USER_ID | SET_GROUP_ID | 0o777;

/// A text that is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a mode")]
pub struct BadMode {
    text: String,
}

impl BadMode {
    /// What a mode looks like.
    pub fn hint(&self) -> Option<String> {
        Some("a mode is octal such as `755` (at most `7777`), or symbolic such as `u=rwX,go=rX`".to_owned())
    }
}

impl Mode {
    /// Reads an octal mode from 0 to 7777, or a symbolic one.
    pub fn parse(text: &str) -> Result<Self, BadMode> {
        let bad = || BadMode { text: text.to_owned() };
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            let is_octal = text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
            let mode = u32::from_str_radix(text, 8)
                .ok()
                .filter(|&mode| is_octal && mode <= 0o7777)
                .ok_or_else(bad)?;
            return Ok(Self { changes: Changes::Absolute(mode) });
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            parse_clause(clause, &mut changes).ok_or_else(bad)?;
        }
        Ok(Self { changes: Changes::Symbolic(changes) })
    }

    /// The same for every file, whatever its mode was?
    pub fn is_absolute(&self) -> bool {
        matches!(self.changes, Changes::Absolute(_))
    }

    /// The mode (0 to 7777) of a file that has `current`; other bits of `current` are dropped.
    pub fn apply(&self, current: u32, is_directory: bool) -> u32 {
        let current = current & 0o7777;
        let changes = match &self.changes {
            Changes::Absolute(mode) => return *mode,
            Changes::Symbolic(changes) => changes,
        };
        let may_execute = is_directory || current & 0o111 != 0;
        changes.iter().fold(current, |mode, change| {
            let copied = [6, 3, 0].into_iter().zip(change.copies).filter(|&(_, copies)| copies);
            let copied = copied.fold(0, |bits, (shift, _)| bits | (((mode >> shift) & 0o7) * 0o111));
            let executable = if change.execute_if_any && may_execute { 0o111 } else { 0 };
            let bits = (change.bits | copied | executable) & change.who;
            match change.operator {
                Operator::Add => mode | bits,
                Operator::Remove => mode & !bits,
                Operator::Assign => (mode & !change.who) | bits,
            }
        })
    }
}

/// `ugo+rwx-s`; `None` if it is none.
fn parse_clause(clause: &str, changes: &mut Vec<Change>) -> Option<()> {
    let letters = clause.find(|next: char| !matches!(next, 'u' | 'g' | 'o' | 'a'))?;
    let (classes, mut rest) = clause.split_at(letters);
    let who = classes.chars().fold(0, |who, class| {
        who | match class {
            'u' => SET_USER_ID | 0o700,
            'g' => SET_GROUP_ID | 0o070,
            'o' => 0o007,
            _ => EVERYBODY,
        }
    });
    let who = if who == 0 { EVERYBODY } else { who };
    while let Some(first) = rest.chars().next() {
        let operator = match first {
            '+' => Operator::Add,
            '-' => Operator::Remove,
            '=' => Operator::Assign,
            _ => return None,
        };
        rest = &rest[1..];
        let length = rest.find(['+', '-', '=']).unwrap_or(rest.len());
        let (permissions, after) = rest.split_at(length);
        rest = after;
        let mut change = Change { operator, who, bits: 0, execute_if_any: false, copies: [false; 3] };
        for permission in permissions.chars() {
            match permission {
                'r' => change.bits |= 0o444,
                'w' => change.bits |= 0o222,
                'x' => change.bits |= 0o111,
                'X' => change.execute_if_any = true,
                's' => change.bits |= SET_USER_ID | SET_GROUP_ID,
                't' => {
                    change.bits |= STICKY;
                    change.who |= STICKY;
                }
                'u' => change.copies[0] = true,
                'g' => change.copies[1] = true,
                'o' => change.copies[2] = true,
                _ => return None,
            }
        }
        changes.push(change);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(mode: &str, current: u32) -> String {
        format!("{:04o}", Mode::parse(mode).expect("a mode").apply(current, false))
    }

    #[test]
    fn octal_modes_replace_everything() {
        for (text, mode) in
            [("0", 0), ("644", 0o644), ("0755", 0o755), ("7777", 0o7777), ("00004711", 0o4711)]
        {
            assert_eq!(Mode::parse(text).expect("a mode").apply(0o123, true), mode, "{text}");
        }
    }

    #[test]
    fn symbolic_modes_change_what_they_name() {
        for (mode, before, after) in [
            ("go-w", 0o666, "0644"),
            ("u=rw,g=r,o=r", 0o777, "0644"),
            ("a+X", 0o666, "0666"),
            ("a+X", 0o644 | 0o010, "0755"),
            ("+x", 0o644, "0755"),
            ("+w", 0o444, "0666"),
            ("u+rw,g+r,o-x,o+w", 0o124, "0766"),
            ("g=u", 0o750, "0770"),
            ("go=u-w", 0o700, "0755"),
            ("a=g", 0o741, "0444"),
            ("g=g", 0o750, "0750"),
            ("go=", 0o777, "0700"),
            ("=rw,+X", 0o711, "0777"),
            ("u+s", 0o755, "4755"),
            ("ug+s,o+s", 0o755, "6755"),
            ("u=rwx", 0o6755, "2755"),
            ("+t", 0o755, "1755"),
            ("o+t", 0o755, "1755"),
            ("a=rwx", 0o1000, "1777"),
            ("a=rwxt", 0, "1777"),
            ("u+", 0o644, "0644"),
        ] {
            assert_eq!(applied(mode, before), after, "{mode} on {before:o}");
        }
    }

    #[test]
    fn a_capital_x_counts_for_directories() {
        assert_eq!(Mode::parse("a+X").expect("a mode").apply(0o644, true), 0o755);
    }

    #[test]
    fn other_texts_are_no_modes() {
        for text in ["", "8", "77777", "u", "rwx", "u+q", "u=rw,", ",", "u=rw, g=r", "0x1", "-1", "+1", "u+é"]
        {
            assert!(Mode::parse(text).is_err(), "{text}");
        }
    }
}
