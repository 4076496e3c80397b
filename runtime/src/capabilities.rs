//! The kernel's capabilities by name, and the set that containers get.
//!
//! Numbers and names are those of `capabilities(7)`. The default set is Docker's: what a package manager or a
//! service that starts as root needs, and nothing that reaches the host.

/// A set of capabilities: bit `n` is capability number `n`.
pub type Set = u64;

/// Every capability by its name without `CAP_`, in the order of the numbers.
pub const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What a container gets unless it is told otherwise.
pub const DOCKER: Set = set(&[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
]);

/// All of them.
pub const ALL: Set = (1 << NAMES.len()) - 1;

/// The capability of that name, with or without `CAP_`, in any case; `ALL` is every one.
#[must_use]
pub fn named(name: &str) -> Option<Set> {
    let upper = name.to_ascii_uppercase();
    let plain = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if plain == "ALL" {
        return Some(ALL);
    }
    NAMES.iter().position(|known| *known == plain).map(|number| 1 << number)
}

/// The names of a set, in the order of the numbers, each with its `CAP_`.
#[must_use]
pub fn names(set: Set) -> Vec<String> {
    let numbered = NAMES.iter().enumerate().filter(|(number, _)| set & (1 << number) != 0);
    numbered.map(|(_, name)| format!("CAP_{name}")).collect()
}

/// The set of `names`, for constants.
const fn set(names: &[&str]) -> Set {
    let mut set = 0;
    let mut wanted = 0;
    while wanted < names.len() {
        let mut number = 0;
        while !same(NAMES[number], names[wanted]) {
            number += 1;
        }
        set |= 1 << number;
        wanted += 1;
    }
    set
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_set_is_the_one_docker_shows_in_proc_status() {
        assert_eq!(DOCKER, 0x0000_0000_a804_25fb);
        assert_eq!(DOCKER.count_ones(), 14);
    }

    #[test]
    fn a_capability_is_found_by_any_spelling() {
        assert_eq!(named("CAP_NET_ADMIN"), Some(1 << 12));
        assert_eq!(named("net_admin"), Some(1 << 12));
        assert_eq!(named("all"), Some(ALL));
        assert_eq!(named("net_admins"), None);
        assert_eq!(names(named("all").unwrap() & 0x1001), ["CAP_CHOWN", "CAP_NET_ADMIN"]);
    }
}
