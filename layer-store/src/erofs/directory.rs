//! Directories: names in blocks, each of which begins with a table of what its names stand for.
//!
//! The kernel looks names up by bisection, first over the blocks and then in one: all names are in the order of their
//! bytes, `.` and `..` included. Inside of one directory that is canonical order.

use super::format::BlockSize;

const ENTRY: usize = 12;

/// One name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) name: &'a [u8],
    /// Which node it stands for.
    pub(super) node: u32,
}

/// `.` and `..` at their places among the names of a directory.
pub(super) fn with_dots<'a>(
    names: impl Iterator<Item = Name<'a>>,
    itself: u32,
    parent: u32,
) -> impl Iterator<Item = Name<'a>> {
    let dots = [Name { name: b".", node: itself }, Name { name: b"..", node: parent }];
    let mut dots = dots.into_iter().peekable();
    let mut names = names.peekable();
    std::iter::from_fn(move || {
        let is_dot_next = match (dots.peek(), names.peek()) {
            (Some(dot), Some(name)) => dot.name < name.name,
            (dot, _) => dot.is_some(),
        };
        if is_dot_next { dots.next() } else { names.next() }
    })
}

/// Divides the names of a directory into blocks.
pub(super) fn in_blocks<'a>(
    mut names: impl Iterator<Item = Name<'a>>,
    block: BlockSize,
) -> impl Iterator<Item = Vec<Name<'a>>> {
    let room = block.bytes() as usize;
    let mut left_over = None;
    std::iter::from_fn(move || {
        let mut taken = Vec::new();
        let mut used = 0;
        while let Some(name) = left_over.take().or_else(|| names.next()) {
            let length = length_of(&name);
            if used + length > room {
                left_over = Some(name);
                break;
            }
            used += length;
            taken.push(name);
        }
        (!taken.is_empty()).then_some(taken)
    })
}

/// How many bytes of a block these names take.
pub(super) fn used(names: &[Name<'_>]) -> usize {
    names.iter().map(length_of).sum()
}

/// A block, as long as it is used. `target` tells the number of the inode and the type of what a name stands for.
pub(super) fn append_block(bytes: &mut Vec<u8>, names: &[Name<'_>], target: impl Fn(u32) -> (u64, u8)) {
    let mut at = names.len() * ENTRY;
    for name in names {
        let (inode, kind) = target(name.node);
        bytes.extend(inode.to_le_bytes());
        bytes.extend((at as u16).to_le_bytes());
        bytes.extend([kind, 0]);
        at += name.name.len();
    }
    for name in names {
        bytes.extend_from_slice(name.name);
    }
}

fn length_of(name: &Name<'_>) -> usize {
    ENTRY + name.name.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(names: &'a [&'a str]) -> impl Iterator<Item = Name<'a>> {
        names.iter().map(|name| Name { name: name.as_bytes(), node: 7 })
    }

    #[test]
    fn dots_stand_where_their_bytes_belong() {
        let order = |given: &[&str]| -> Vec<String> {
            let all = with_dots(names(given), 1, 0);
            all.map(|name| String::from_utf8_lossy(name.name).into_owned()).collect()
        };
        assert_eq!(order(&[]), [".", ".."]);
        assert_eq!(order(&["a"]), [".", "..", "a"]);
        assert_eq!(order(&["!", "-", "...", ".a", "a"]), ["!", "-", ".", "..", "...", ".a", "a"]);
        assert_eq!(order(&[".-", ".a"]), [".", ".-", "..", ".a"]);
    }

    #[test]
    fn a_block_is_filled_to_its_last_byte_and_no_further() {
        let (long, short) = ("x".repeat(244), "y".repeat(244));
        let blocks = |given: &[&str]| -> Vec<usize> {
            in_blocks(names(given), BlockSize::OF_TARS).map(|names| used(&names)).collect()
        };
        assert_eq!(blocks(&[&long, &short]), [512]);
        assert_eq!(blocks(&[&long, &format!("{short}y")]), [256, 257]);
        assert_eq!(blocks(&[]), [0; 0]);
    }
}
