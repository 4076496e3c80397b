//! Which extended attributes layers keep.
//!
//! | attribute                        | kept | why                                                                     |
//! | -------------------------------- | ---- | ----------------------------------------------------------------------- |
//! | `user.*`                         | yes  | they belong to the files                                                |
//! | `security.capability`            | yes  | programs need it; always as version 2, which names no user namespace    |
//! | `user.overlay.*`, `trusted.*`    | no   | bookkeeping of the overlay, and of nobody but this machine               |
//! | `user.tug.*`                     | no   | our own bookkeeping                                                     |
//! | `security.selinux`, other labels | no   | they name the policy of this machine                                    |
//! | POSIX access lists               | no   | ids in them are of this machine, and other engines drop them as well    |
//!
//! The rules are the same in every mode and for every source, so that a layer has one digest wherever it is made.

use std::borrow::Cow;

use crate::entry::Xattrs;

pub(crate) const CAPABILITY: &[u8] = b"security.capability";

/// Whether layers keep the attribute.
pub(crate) fn is_kept(name: &[u8]) -> bool {
    name == CAPABILITY
        || name.starts_with(b"user.")
            && !name.starts_with(b"user.overlay.")
            && !name.starts_with(b"user.tug.")
}

/// Those that layers keep, as layers keep them.
pub(crate) fn kept(xattrs: &Xattrs) -> Cow<'_, Xattrs> {
    let is_right = |(name, value): (&Vec<u8>, &Vec<u8>)| {
        is_kept(name) && (name != CAPABILITY || matches!(normal_capability(value), Some(Cow::Borrowed(_))))
    };
    if xattrs.iter().all(is_right) {
        return Cow::Borrowed(xattrs);
    }
    let kept = xattrs.iter().filter(|(name, _)| is_kept(name)).filter_map(|(name, value)| match &name[..] {
        CAPABILITY => normal_capability(value).map(|value| (name.clone(), value.into_owned())),
        _ => Some((name.clone(), value.clone())),
    });
    Cow::Owned(kept.collect())
}

/// File capabilities as version 2, which has no user namespace in it (`struct vfs_cap_data`, linux/capability.h);
/// `None` when they are malformed: the kernel would refuse them.
///
/// Version 1 has 32 bits of capabilities, version 2 has 64, version 3 has the root user of a namespace behind them.
pub(crate) fn normal_capability(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    const LENGTHS: [(u8, usize); 3] = [(1, 12), (2, 20), (3, 24)];
    // Little-endian: flags in the lowest byte, the version in the highest.
    let version = *value.get(3)?;
    let &(_, length) = LENGTHS.iter().find(|(known, _)| *known == version)?;
    if value.len() != length {
        return None;
    }
    if version == 2 {
        return Some(Cow::Borrowed(value));
    }
    let mut normal = value.to_vec();
    normal.resize(20, 0);
    normal[3] = 2;
    Some(Cow::Owned(normal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_the_files_is_kept() {
        for name in ["user.mime_type", "user.", "user.overlayed", "security.capability"] {
            assert!(is_kept(name.as_bytes()), "{name}");
        }
        for name in [
            "user.overlay.opaque",
            "user.tug.owner",
            "trusted.overlay.opaque",
            "security.selinux",
            "system.posix_acl_access",
            "security.ima",
        ] {
            assert!(!is_kept(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn capabilities_become_version_2_whatever_they_were() {
        let second = [1, 0, 0, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut third = second.to_vec();
        third[3] = 3;
        third.extend_from_slice(&100_000_u32.to_le_bytes());
        let mut first = second[..12].to_vec();
        first[3] = 1;
        for value in [&second[..], &third, &first] {
            assert_eq!(normal_capability(value).unwrap(), &second[..]);
        }
        for value in [&second[..19], &[], &[0; 20], &third[..20]] {
            assert_eq!(normal_capability(value), None);
        }
    }

    #[test]
    fn attributes_that_need_no_change_are_not_copied() {
        let mut xattrs = Xattrs::from([(b"user.a".to_vec(), b"1\n\0".to_vec())]);
        assert!(matches!(kept(&xattrs), Cow::Borrowed(_)));
        xattrs.insert(b"trusted.x".to_vec(), vec![]);
        xattrs.insert(CAPABILITY.to_vec(), vec![1, 2, 3]);
        assert_eq!(kept(&xattrs).keys().collect::<Vec<_>>(), [b"user.a"]);
    }
}
