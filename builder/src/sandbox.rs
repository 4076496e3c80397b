//! What RUN steps get beside their layers, whatever the Dockerfile says: limits, hosts, folders and devices of this
//! machine, and what the Dockerfile may take for itself.

use std::net::IpAddr;
use std::path::PathBuf;

use tug_layer_store::{ScratchDir, Store};
use tug_runtime::{
    BindSource, Container, ForeignRoot, Mount, ResolvConf, Resources, Root, Seccomp, Security, Ulimit,
    capabilities,
};

use crate::error::Error;
use crate::key::Inputs;
use crate::plan::Privileges;

/// What every RUN step of a unit gets.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Names added to `/etc/hosts`.
    pub hosts: Vec<(String, IpAddr)>,
    /// Whether `/etc/hosts` is the image's own.
    pub keep_hosts: bool,
    /// Whether `/etc/resolv.conf` is the image's own.
    pub keep_resolv_conf: bool,
    /// Size of `/dev/shm` in bytes; 64 MiB when absent.
    pub shm_size: Option<u64>,
    /// Limits on each process.
    pub ulimits: Vec<Ulimit>,
    /// Limits on all processes of a step together.
    pub resources: Resources,
    /// The capabilities of root, as a set of bits.
    pub capabilities: capabilities::Set,
    /// The system call filter.
    pub seccomp: Seccomp,
    /// Whether set-uid programs have no effect.
    pub no_new_privileges: bool,
    /// Further groups of the process.
    pub groups: Vec<u32>,
    /// Folders and files of this machine.
    pub volumes: Vec<Volume>,
    /// Device nodes of this machine, each with its path in the container.
    pub nodes: Vec<(PathBuf, PathBuf)>,
    /// Devices as the Container Device Interface names them. They must be there.
    pub devices: Vec<String>,
    /// Folders with the descriptions of such devices; what a later one says counts.
    pub device_folders: Vec<PathBuf>,
    /// What the Dockerfile may take for itself.
    pub allowed: Allowed,
}

/// A folder or file of this machine that RUN steps see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Where it is here: absolute.
    pub source: PathBuf,
    /// Where the container sees it: absolute.
    pub target: PathBuf,
    /// Who may write to it.
    pub access: Access,
    /// Whether it is given to the user of the step, with all that is in it.
    pub owned: bool,
}

/// What becomes of that which a step writes to a [`Volume`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It stays.
    Write,
    /// It cannot write.
    Read,
    /// It is thrown away after the step. For folders only.
    Discard,
}

/// What a Dockerfile may take for itself that others would not expect of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The host's network where the build was told to have none.
    pub host_network: bool,
    /// `RUN --security=insecure`.
    pub insecure: bool,
    /// `RUN --device` with any device.
    pub all_devices: bool,
    /// `RUN --device` with these.
    pub devices: Vec<String>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            keep_hosts: false,
            keep_resolv_conf: false,
            shm_size: None,
            ulimits: Vec::new(),
            resources: Resources::default(),
            capabilities: capabilities::DOCKER,
            seccomp: Seccomp::Default,
            no_new_privileges: false,
            groups: Vec::new(),
            volumes: Vec::new(),
            nodes: Vec::new(),
            devices: Vec::new(),
            device_folders: Vec::new(),
            allowed: Allowed::default(),
        }
    }
}

impl Sandbox {
    /// What of it is in the key of a RUN. What is not asked for leaves the key as it is; addresses, name servers and
    /// limits on all processes together are not in it: they say how a result is reached.
    pub(crate) fn add_inputs(&self, inputs: &mut Inputs) {
        let mut names: Vec<&str> = self.hosts.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut add = |name: &str, value: String| {
            if !value.is_empty() {
                inputs.value(name, value);
            }
        };
        let flag = |set: bool| if set { "true".to_owned() } else { String::new() };
        add("--add-host", names.join(" "));
        add("--no-hosts", flag(self.keep_hosts));
        add("--shm-size", self.shm_size.map_or_else(String::new, |size| size.to_string()));
        let ulimits = self.ulimits.iter().map(|limit| format!("{limit:?}"));
        add("--ulimit", ulimits.collect::<Vec<_>>().join(" "));
        if self.capabilities != capabilities::DOCKER {
            add("capabilities", format!("{:x}", self.capabilities));
        }
        add("the system call filter", flag(self.seccomp != Seccomp::Default));
        add("no-new-privileges", flag(self.no_new_privileges));
        add("--group-add", self.groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
        for Volume { source, target, access, owned } in &self.volumes {
            let how = format!("{} {access:?}{}", source.display(), if *owned { " owned" } else { "" });
            add(&format!("--volume {}", target.display()), how);
        }
        for (source, target) in &self.nodes {
            add(&format!("--device {}", target.display()), source.display().to_string());
        }
        add("--device", self.devices.join(" "));
    }

    /// Puts all of it into `container`. What comes back has to live until the container has ended.
    pub(crate) fn furnish(
        &self,
        container: &mut Container,
        privileges: &Privileges,
        store: &Store,
    ) -> Result<Vec<ScratchDir>, Error> {
        container.hosts.extend(self.hosts.iter().cloned());
        container.files.keep_hosts = self.keep_hosts;
        if self.keep_resolv_conf {
            container.files.resolv_conf = ResolvConf::Keep;
        }
        if let Some(size) = self.shm_size {
            container.shm_size = size;
        }
        container.ulimits.extend(&self.ulimits);
        container.resources = self.resources.clone();
        container.groups.extend(&self.groups);
        container.security = match privileges.insecure {
            true => Security::privileged(),
            false => Security {
                capabilities: self.capabilities,
                seccomp: self.seccomp,
                no_new_privileges: self.no_new_privileges,
                ..Security::default()
            },
        };
        let nodes = self.nodes.iter().map(|(source, target)| bind(source, target, false));
        container.mounts.extend(nodes);
        for device in &privileges.devices {
            device.edits.apply(container);
        }
        mount_volumes(&self.volumes, container, store)
    }
}

/// Puts `volumes` into `container`. What comes back has to live until the container has ended: it is what was written to
/// volumes that keep nothing.
pub fn mount_volumes(
    volumes: &[Volume],
    container: &mut Container,
    store: &Store,
) -> Result<Vec<ScratchDir>, Error> {
    let mut discarded = Vec::new();
    for Volume { source, target, access, owned } in volumes {
        container.mounts.push(match access {
            Access::Write => bind(source, target, false),
            Access::Read => bind(source, target, true),
            Access::Discard => {
                let scratch = store.scratch("volume")?;
                let root = Root {
                    lower: vec![source.clone().into()],
                    upper: Some(scratch.upper()?),
                    work: Some(scratch.work()?),
                    read_only: false,
                };
                discarded.push(scratch);
                Mount::Foreign { root: ForeignRoot { root, path: "/".into() }, target: target.clone() }
            }
        });
        if *owned {
            container.owned.push(target.clone());
        }
    }
    Ok(discarded)
}

fn bind(source: &std::path::Path, target: &std::path::Path, read_only: bool) -> Mount {
    Mount::Bind {
        source: BindSource::Path(source.to_owned()),
        target: target.to_owned(),
        read_only,
        recursive: true,
    }
}

#[cfg(test)]
mod tests {
    use tug_runtime::Resource;

    use super::*;

    fn key(sandbox: &Sandbox) -> String {
        let mut inputs = Inputs::default();
        sandbox.add_inputs(&mut inputs);
        inputs.key().to_string()
    }

    #[test]
    fn what_changes_a_result_changes_the_key_and_nothing_else_does() {
        let plain = key(&Sandbox::default());
        assert_eq!(plain, Inputs::default().key().to_string(), "what is not asked for is not in a key");
        let volume = |access, owned| Volume { source: "/a".into(), target: "/b".into(), access, owned };
        let limit = Ulimit { resource: Resource::OpenFiles, soft: Some(1), hard: None };
        let localhost: IpAddr = [127, 0, 0, 1].into();
        let changed = [
            Sandbox { hosts: vec![("a".to_owned(), localhost)], ..Sandbox::default() },
            Sandbox { keep_hosts: true, ..Sandbox::default() },
            Sandbox { shm_size: Some(1), ..Sandbox::default() },
            Sandbox { ulimits: vec![limit], ..Sandbox::default() },
            Sandbox { ulimits: vec![Ulimit { hard: Some(9), ..limit }], ..Sandbox::default() },
            Sandbox { capabilities: 0, ..Sandbox::default() },
            Sandbox { seccomp: Seccomp::Unconfined, ..Sandbox::default() },
            Sandbox { no_new_privileges: true, ..Sandbox::default() },
            Sandbox { groups: vec![7], ..Sandbox::default() },
            Sandbox { volumes: vec![volume(Access::Write, false)], ..Sandbox::default() },
            Sandbox { volumes: vec![volume(Access::Read, false)], ..Sandbox::default() },
            Sandbox { volumes: vec![volume(Access::Discard, false)], ..Sandbox::default() },
            Sandbox { volumes: vec![volume(Access::Write, true)], ..Sandbox::default() },
            Sandbox { nodes: vec![("/dev/fuse".into(), "/dev/fuse".into())], ..Sandbox::default() },
            Sandbox { devices: vec!["vendor/class=x".to_owned()], ..Sandbox::default() },
        ];
        let keys: std::collections::BTreeSet<String> =
            changed.iter().map(key).chain([plain.clone()]).collect();
        assert_eq!(keys.len(), changed.len() + 1);

        let one = |address: IpAddr| Sandbox { hosts: vec![("a".to_owned(), address)], ..Sandbox::default() };
        assert_eq!(key(&one(localhost)), key(&one([10, 0, 0, 1].into())), "addresses are not in a key");
        let resources = Resources { memory: Some(1), ..Resources::default() };
        let allowed = Allowed { insecure: true, ..Allowed::default() };
        for same in [
            Sandbox { resources, ..Sandbox::default() },
            Sandbox { allowed, ..Sandbox::default() },
            Sandbox { keep_resolv_conf: true, ..Sandbox::default() },
            Sandbox { device_folders: vec!["/etc/cdi".into()], ..Sandbox::default() },
        ] {
            assert_eq!(key(&same), plain);
        }
    }
}
