//! All devices that are described on this machine.

use std::io::Read;
use std::path::{Path, PathBuf};

use tug_dockerfile::closest;

use super::{Device, spec};

/// Longest description that is read.
const LARGEST: u64 = 16 << 20;

/// Devices by name.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    devices: Vec<Device>,
    /// Names that two files of one folder describe.
    ambiguous: Vec<String>,
    /// Files that could not be used, and why.
    damaged: Vec<String>,
    folders: Vec<PathBuf>,
}

/// Why there is no device of a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// What happened.
    pub message: String,
    /// What the user can do.
    pub help: String,
}

impl Registry {
    /// Reads the descriptions in `folders`. One that is not there has none; what a later folder says counts.
    pub(crate) fn read(folders: &[PathBuf]) -> Self {
        let mut registry = Self { folders: folders.to_vec(), ..Self::default() };
        for folder in folders {
            let mut of_folder: Vec<Device> = Vec::new();
            for path in files(folder) {
                match read(&path) {
                    Ok(devices) => {
                        for device in devices {
                            if of_folder.iter().any(|known| known.name == device.name) {
                                registry.ambiguous.push(device.name.clone());
                            }
                            of_folder.push(device);
                        }
                    }
                    Err(reason) => registry.damaged.push(format!("`{}`: {reason}", path.display())),
                }
            }
            let later = |name: &String| of_folder.iter().any(|device| device.name == *name);
            registry.devices.retain(|device| !later(&device.name));
            registry.devices.extend(of_folder);
        }
        let ambiguous = &registry.ambiguous;
        registry.devices.retain(|device| !ambiguous.contains(&device.name));
        registry
    }

    /// The devices that `asked` names: at least one.
    pub(crate) fn select(&self, asked: &str) -> Result<Vec<Device>, Unknown> {
        let all = |wanted: &dyn Fn(&Device) -> bool| -> Vec<Device> {
            self.devices.iter().filter(|device| wanted(device)).cloned().collect()
        };
        let found = match (asked.split_once('='), asked.contains('/')) {
            (Some((kind, "*")), _) => all(&|device| device.kind() == kind),
            (Some(_), _) => all(&|device| device.name == asked),
            (None, true) => all(&|device| device.kind() == asked).into_iter().take(1).collect(),
            (None, false) => all(&|device| device.class.as_deref() == Some(asked)),
        };
        if found.is_empty() { Err(self.unknown(asked)) } else { Ok(found) }
    }

    fn unknown(&self, asked: &str) -> Unknown {
        if self.ambiguous.iter().any(|name| name == asked) {
            return Unknown {
                message: format!("two files describe the device `{asked}`"),
                help: "remove one of them".to_owned(),
            };
        }
        let kinds = self.devices.iter().map(Device::kind);
        let classes = self.devices.iter().filter_map(|device| device.class.as_deref());
        let names: Vec<&str> =
            self.devices.iter().map(|device| device.name.as_str()).chain(kinds).chain(classes).collect();
        let folders: Vec<_> = self.folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
        let help = match closest(asked, &names) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None if !self.damaged.is_empty() => {
                format!("not all descriptions could be used: {}", self.damaged.join("; "))
            }
            None if self.devices.is_empty() => {
                format!("devices are described by files in {}, and there are none", folders.join(", "))
            }
            None => {
                let known: Vec<&str> = self.devices.iter().map(|device| device.name.as_str()).collect();
                format!("the devices are: `{}`", known.join("`, `"))
            }
        };
        Unknown { message: format!("no device `{asked}` on this machine"), help }
    }
}

/// The descriptions in a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("json" | "yaml" | "yml")) && path.is_file()
    });
    files.sort();
    files
}

fn read(path: &Path) -> Result<Vec<Device>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > LARGEST {
        return Err(format!("it is larger than {} MiB", LARGEST >> 20));
    }
    spec::parse(&text, path.extension().is_some_and(|ending| ending == "json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, kind: &str, devices: &[(&str, &str)]) {
        let mut text = format!("cdiVersion: 0.6.0\nkind: {kind}\ndevices:\n");
        for (device, class) in devices {
            text += &format!(
                "- name: {device}\n  annotations: {{org.mobyproject.buildkit.device.class: {class}}}\n  \
                 containerEdits: {{env: [FROM={name}]}}\n"
            );
        }
        std::fs::write(folder.join(name), text).unwrap();
    }

    #[test]
    fn devices_are_found_by_name_kind_and_class() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        file(first.path(), "b.yaml", "v.com/gpu", &[("0", "fast"), ("1", "slow")]);
        file(first.path(), "a.yml", "v.com/net", &[("0", "fast")]);
        file(first.path(), "c.yml", "v.com/twice", &[("0", "x")]);
        file(first.path(), "d.yml", "v.com/twice", &[("0", "x")]);
        file(second.path(), "x.yaml", "v.com/gpu", &[("1", "slow")]);
        std::fs::write(first.path().join("note.txt"), "no description").unwrap();
        std::fs::write(first.path().join("e.json"), "{").unwrap();
        let missing = first.path().join("missing");
        let registry = Registry::read(&[first.path().to_owned(), second.path().to_owned(), missing]);

        let names = |asked: &str| -> Vec<String> {
            registry.select(asked).unwrap().into_iter().map(|device| device.name).collect()
        };
        assert_eq!(names("v.com/gpu=1"), ["v.com/gpu=1"]);
        assert_eq!(names("v.com/gpu=*"), ["v.com/gpu=0", "v.com/gpu=1"]);
        assert_eq!(names("v.com/gpu"), ["v.com/gpu=0"]);
        assert_eq!(names("fast"), ["v.com/net=0", "v.com/gpu=0"]);
        let later = &registry.select("v.com/gpu=1").unwrap()[0].edits.env;
        assert_eq!(later[0].1, "x.yaml", "a later folder counts");

        let help = |asked: &str| registry.select(asked).unwrap_err();
        assert_eq!(help("v.com/twice=0").message, "two files describe the device `v.com/twice=0`");
        assert_eq!(help("v.com/gqu=1").message, "no device `v.com/gqu=1` on this machine");
        assert_eq!(help("v.com/gqu=1").help, "did you mean `v.com/gpu=1`?");
        assert!(help("nvidia.com/something=0").help.contains("e.json"));
        let none = Registry::read(&[second.path().join("none")]).select("x").unwrap_err();
        assert!(none.help.contains("there are none"), "{none:?}");
    }
}
