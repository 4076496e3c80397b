//! Programs for other processors: which ones the kernel starts through an emulator.
//!
//! The kernel's `binfmt_misc` knows programs by their first bytes and starts an interpreter for them, such as qemu. The
//! first bytes of a program say its processor, so entries are told by what they match and not by their names. Source:
//! the kernel's `binfmt-misc` documentation, and the ELF header (`elf(5)`).

use std::path::{Path, PathBuf};

const FOLDER: &str = "/proc/sys/fs/binfmt_misc";
/// Entries are a few lines; there are some dozens of them at most.
const MOST_ENTRIES: usize = 1000;

/// An interpreter that the kernel starts for programs of another processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emulator {
    /// The processor, as images call it: `arm64`, `riscv64`.
    pub architecture: String,
    /// The program.
    pub interpreter: PathBuf,
    /// Whether the kernel holds it open (flag `F`), so that it need not be in the container.
    pub is_fixed: bool,
    /// Whether the entry is in use.
    pub is_enabled: bool,
}

/// The emulators that the kernel knows, sorted by processor; none where `binfmt_misc` is not mounted, which does not mean
/// that there are none.
#[must_use]
pub fn emulators() -> Vec<Emulator> {
    in_folder(Path::new(FOLDER))
}

/// Whether this machine runs programs for `architecture` by itself.
#[must_use]
pub fn runs_natively(architecture: &str) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => matches!(architecture, "amd64" | "386"),
        "aarch64" => architecture == "arm64",
        "arm" => architecture == "arm",
        "powerpc64" => matches!(architecture, "ppc64" | "ppc64le"),
        other => architecture == other,
    }
}

fn in_folder(folder: &Path) -> Vec<Emulator> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path()).take(MOST_ENTRIES);
    let is_entry =
        |path: &PathBuf| path.file_name().is_none_or(|name| name != "register" && name != "status");
    let texts = paths.filter(is_entry).filter_map(|path| std::fs::read_to_string(path).ok());
    let mut found: Vec<Emulator> = texts.filter_map(|text| parse(&text)).collect();
    found.sort_by(|left, right| left.architecture.cmp(&right.architecture));
    found
}

fn parse(text: &str) -> Option<Emulator> {
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim_start_matches(':').trim())
    };
    let magic = hex(value("magic")?)?;
    let offset: usize = value("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0);
    if offset != 0 {
        return None;
    }
    Some(Emulator {
        architecture: architecture(&magic)?.to_owned(),
        interpreter: PathBuf::from(value("interpreter")?),
        is_fixed: value("flags").is_some_and(|flags| flags.contains('F')),
        is_enabled: text.lines().next() == Some("enabled"),
    })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// What the first bytes of an ELF program say: class, byte order, and the number of the machine.
fn architecture(magic: &[u8]) -> Option<&'static str> {
    const BITS_32: u8 = 1;
    const BITS_64: u8 = 2;
    const LITTLE: u8 = 1;
    const BIG: u8 = 2;
    if magic.get(..4)? != b"\x7fELF" {
        return None;
    }
    let (class, order) = (magic.get(4)?, magic.get(5)?);
    let machine = [*magic.get(18)?, *magic.get(19)?];
    let machine = if *order == BIG { u16::from_be_bytes(machine) } else { u16::from_le_bytes(machine) };
    Some(match (*class, *order, machine) {
        (BITS_64, LITTLE, 62) => "amd64",
        (BITS_32, LITTLE, 3 | 6) => "386",
        (BITS_64, LITTLE, 183) => "arm64",
        (BITS_32, LITTLE, 40) => "arm",
        (BITS_64, LITTLE, 243) => "riscv64",
        (BITS_64, LITTLE, 21) => "ppc64le",
        (BITS_64, BIG, 21) => "ppc64",
        (BITS_64, BIG, 22) => "s390x",
        (BITS_64, LITTLE, 8) => "mips64le",
        (BITS_64, BIG, 8) => "mips64",
        (BITS_32, LITTLE, 8) => "mipsle",
        (BITS_32, BIG, 8) => "mips",
        (BITS_64, LITTLE, 258) => "loong64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM64: &str = "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n\
        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";
    const S390X: &str = "disabled\ninterpreter /usr/bin/qemu-s390x\nflags: \noffset 0\n\
        magic 7f454c4602020100000000000000000000020016\nmask ffffffffffffff00fffffffffffffffffffeffff\n";
    const PYTHON: &str = "enabled\ninterpreter /usr/bin/python3\nflags: \noffset 0\nmagic 6f0d0d0a\n";
    const BY_NAME: &str = "enabled\ninterpreter /usr/bin/jexec\nflags: \nextension .jar\n";

    #[test]
    fn entries_are_told_by_the_programs_that_they_match() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for (name, text) in [
            ("x-arm", ARM64),
            ("qemu-s390x", S390X),
            ("python", PYTHON),
            ("jar", BY_NAME),
            ("status", "enabled"),
            ("broken", "enabled\nmagic 7f454c4"),
        ] {
            std::fs::write(folder.path().join(name), text).expect("a file can be written");
        }
        let found = in_folder(folder.path());
        let shown: Vec<String> = found
            .iter()
            .map(|it| {
                let interpreter = it.interpreter.display();
                format!("{} {interpreter} {} {}", it.architecture, it.is_fixed, it.is_enabled)
            })
            .collect();
        assert_eq!(
            shown,
            ["arm64 /usr/bin/qemu-aarch64-static true true", "s390x /usr/bin/qemu-s390x false false"]
        );
        assert_eq!(in_folder(Path::new("/no/such/folder")), []);
    }

    #[test]
    fn a_machine_runs_its_own_programs() {
        let own = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        assert!(runs_natively(own));
        assert!(!runs_natively("s390x") || own == "s390x");
    }
}
