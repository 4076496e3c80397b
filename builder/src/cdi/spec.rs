//! One file that describes devices, in JSON or YAML.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Device, Edits};

const CLASS: &str = "org.mobyproject.buildkit.device.class";
const FOR_EVERYBODY: &str = "org.mobyproject.buildkit.device.autoallow";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    cdi_version: String,
    kind: String,
    #[serde(default)]
    annotations: BTreeMap<String, Annotation>,
    #[serde(default)]
    devices: Vec<DeviceSpec>,
    #[serde(default)]
    container_edits: EditsSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceSpec {
    name: String,
    #[serde(default)]
    annotations: BTreeMap<String, Annotation>,
    #[serde(default)]
    container_edits: EditsSpec,
}

/// The values are texts, but people write `true`.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Annotation {
    Bool(bool),
    Text(String),
}

impl Annotation {
    fn is_true(&self) -> bool {
        match self {
            Self::Bool(value) => *value,
            Self::Text(text) => text == "true",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EditsSpec {
    env: Vec<String>,
    device_nodes: Vec<NodeSpec>,
    mounts: Vec<MountSpec>,
    hooks: Vec<HookSpec>,
    additional_gids: Vec<u32>,
    intel_rdt: Option<serde_json::Value>,
    net_devices: Vec<serde_json::Value>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeSpec {
    path: String,
    #[serde(default)]
    host_path: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MountSpec {
    host_path: String,
    container_path: String,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HookSpec {
    path: String,
    #[serde(default)]
    args: Vec<String>,
}

/// The devices of a file, or what is wrong with it.
pub(super) fn parse(text: &str, is_json: bool) -> Result<Vec<Device>, String> {
    let spec: Spec = if is_json {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        serde_saphyr::from_str(text).map_err(|error| first_line(&error.to_string()))?
    };
    if !matches!(spec.cdi_version.split('.').next(), Some("0" | "1")) {
        return Err(format!("its version `{}` is not known", spec.cdi_version));
    }
    let is_word = |word: &str| {
        !word.is_empty()
            && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.:".contains(letter))
    };
    match spec.kind.split_once('/') {
        Some((vendor, class)) if is_word(vendor) && is_word(class) => {}
        _ => return Err(format!("its kind `{}` is not `vendor/class`", spec.kind)),
    }
    let common = edits(&spec.container_edits)?;
    let mut devices: Vec<Device> = Vec::new();
    for device in &spec.devices {
        let name = format!("{}={}", spec.kind, device.name);
        if !is_word(&device.name) {
            return Err(format!("`{}` is not the name of a device", device.name));
        }
        if devices.iter().any(|known| known.name == name) {
            return Err(format!("it describes `{name}` twice"));
        }
        let annotation = |name: &str| device.annotations.get(name).or_else(|| spec.annotations.get(name));
        devices.push(Device {
            class: annotation(CLASS).map(Annotation::text),
            is_for_everybody: annotation(FOR_EVERYBODY).is_some_and(Annotation::is_true),
            edits: common.clone().and(edits(&device.container_edits)?),
            name,
        });
    }
    Ok(devices)
}

fn edits(spec: &EditsSpec) -> Result<Edits, String> {
    let mut edits = Edits { groups: spec.additional_gids.clone(), ..Edits::default() };
    for line in &spec.env {
        let pair = line.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) = pair.ok_or_else(|| format!("`{line}` is not `NAME=VALUE`"))?;
        edits.env.push((name.to_owned(), value.to_owned()));
    }
    for node in &spec.device_nodes {
        let host = if node.host_path.is_empty() { &node.path } else { &node.host_path };
        edits.mounts.push((absolute(host)?, absolute(&node.path)?, false));
    }
    for mount in &spec.mounts {
        if !matches!(mount.kind.as_str(), "" | "none" | "bind") {
            edits.left_out.push(format!("a mount of type `{}`", mount.kind));
            continue;
        }
        let read_only = mount.options.iter().any(|option| option == "ro");
        edits.mounts.push((absolute(&mount.host_path)?, absolute(&mount.container_path)?, read_only));
    }
    edits.left_out.extend(spec.hooks.iter().map(|hook| {
        let words = if hook.args.is_empty() { hook.path.clone() } else { hook.args.join(" ") };
        format!("the hook `{words}`")
    }));
    if spec.intel_rdt.is_some() {
        edits.left_out.push("limits on caches of the processor".to_owned());
    }
    if !spec.net_devices.is_empty() {
        edits.left_out.push("network devices".to_owned());
    }
    Ok(edits)
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    match path.starts_with('/') {
        true => Ok(PathBuf::from(path)),
        false => Err(format!("`{path}` is not an absolute path")),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "\
cdiVersion: \"0.6.0\"
kind: \"vendor1.com/device\"
annotations:
  org.mobyproject.buildkit.device.autoallow: true
containerEdits:
  env:
  - ALL=1
devices:
- name: foo
  annotations:
    org.mobyproject.buildkit.device.class: class1
  containerEdits:
    env:
    - FOO=injected
    deviceNodes:
    - path: /dev/foo
    - path: /dev/bar
      hostPath: /dev/null
    mounts:
    - hostPath: /usr/lib/foo
      containerPath: /opt/foo
      options: [ro, nosuid, bind]
    hooks:
    - hookName: createContainer
      path: /usr/bin/hook
      args: [hook, update-ldcache]
    additionalGids: [44]
- name: bar
  containerEdits: {}
";

    #[test]
    fn yaml_and_json_say_the_same() {
        let devices = parse(YAML, false).unwrap();
        let [foo, bar] = devices.as_slice() else { panic!("{devices:?}") };
        assert_eq!((foo.name.as_str(), foo.class.as_deref()), ("vendor1.com/device=foo", Some("class1")));
        assert!(foo.is_for_everybody && bar.is_for_everybody);
        assert_eq!(foo.edits.env, [("ALL", "1"), ("FOO", "injected")].map(|(a, b)| (a.into(), b.into())));
        let mounts = [("/dev/foo", "/dev/foo", false), ("/dev/null", "/dev/bar", false)];
        let mounts = mounts.into_iter().chain([("/usr/lib/foo", "/opt/foo", true)]);
        let mounts: Vec<_> = mounts.map(|(from, to, ro)| (from.into(), to.into(), ro)).collect();
        assert_eq!(foo.edits.mounts, mounts);
        assert_eq!(foo.edits.groups, [44]);
        assert_eq!(foo.edits.left_out, ["the hook `hook update-ldcache`"]);
        assert_eq!(bar.edits.env, [("ALL".to_owned(), "1".to_owned())]);

        let json = r#"{ "cdiVersion": "1.0.0", "kind": "vendor1.com/device", "devices": [
            { "name": "bar", "containerEdits": { "env": ["ALL=1"] } } ] }"#;
        let json = parse(json, true).unwrap();
        assert_eq!((&json[0].name, &json[0].edits), (&bar.name, &bar.edits));
        assert!(!json[0].is_for_everybody);
    }

    #[test]
    fn a_damaged_file_is_told_what_is_wrong() {
        let changed = |from: &str, to: &str| parse(&YAML.replacen(from, to, 1), false).unwrap_err();
        assert_eq!(changed("0.6.0", "9.0"), "its version `9.0` is not known");
        assert_eq!(changed("vendor1.com/device", "device"), "its kind `device` is not `vendor/class`");
        assert_eq!(changed("name: bar", "name: foo"), "it describes `vendor1.com/device=foo` twice");
        assert_eq!(changed("name: bar", "name: a/b"), "`a/b` is not the name of a device");
        assert_eq!(changed("FOO=injected", "FOO"), "`FOO` is not `NAME=VALUE`");
        assert_eq!(changed("/usr/lib/foo", "lib/foo"), "`lib/foo` is not an absolute path");
        assert!(!changed("devices:", "devices: {").contains('\n'));
        assert!(parse("{", true).is_err() && parse("", false).is_err());
    }
}
