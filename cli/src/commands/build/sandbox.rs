//! From the flags about RUN steps to what the builder is told.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use tug_builder::{Allowed, Sandbox};
use tug_runtime::{Resources, Seccomp, capabilities};

use super::arguments::{Entitlement, ResourceFlag, StepsArguments, note};
use crate::arguments::sandbox::DeviceFlag;
use crate::error::CommandError;

/// Where devices are described; what a later folder says counts.
const DEVICE_FOLDERS: [&str; 3] = ["/etc/buildkit/cdi", "/etc/cdi", "/var/run/cdi"];

/// What steps get, and the text of their `/etc/resolv.conf` if it is not the host's.
pub(super) struct Steps {
    pub(super) sandbox: Sandbox,
    pub(super) resolv_conf: Option<String>,
    /// What was asked for and has no effect.
    pub(super) notes: Vec<String>,
}

/// Puts the flags together, and refuses those that contradict each other.
pub(super) fn steps(arguments: &StepsArguments) -> Result<Steps, CommandError> {
    let mut notes = Vec::new();
    let mut sandbox = Sandbox {
        hosts: arguments.add_host.clone(),
        keep_hosts: arguments.no_hosts == Some(true),
        shm_size: arguments.shm_size,
        ulimits: arguments.ulimit.clone(),
        resources: resources(arguments)?,
        groups: arguments.group_add.clone(),
        volumes: arguments.volume.clone(),
        device_folders: DEVICE_FOLDERS.map(PathBuf::from).to_vec(),
        allowed: allowed(&arguments.allow, &mut notes),
        ..Sandbox::default()
    };
    let set = |list: &[capabilities::Set]| list.iter().fold(0, |all, one| all | one);
    let (added, dropped) = (set(&arguments.cap_add), set(&arguments.cap_drop));
    let both = added & dropped;
    if both != 0 && added != capabilities::ALL && dropped != capabilities::ALL {
        let names = capabilities::names(both).join("`, `");
        return Err(CommandError::usage(format_args!("`{names}` is both added and dropped"))
            .hint("leave it out of `--cap-add` or of `--cap-drop`"));
    }
    // `--cap-drop ALL --cap-add CHOWN` leaves one, and `--cap-add ALL --cap-drop CHOWN` all but one.
    sandbox.capabilities = match dropped == capabilities::ALL {
        true => added,
        false => (sandbox.capabilities | added) & !dropped,
    };
    for option in &arguments.security_opt {
        security_option(option, &mut sandbox, &mut notes)?;
    }
    for device in &arguments.device {
        match device {
            DeviceFlag::Node(source, target) => sandbox.nodes.push((source.clone(), target.clone())),
            DeviceFlag::Named(name) => sandbox.devices.push(name.clone()),
        }
    }
    let mut targets: Vec<_> = sandbox.volumes.iter().map(|volume| &volume.target).collect();
    targets.extend(sandbox.nodes.iter().map(|(_, target)| target));
    targets.sort();
    if let Some(twice) = targets.windows(2).find(|pair| pair[0] == pair[1]) {
        let target = twice[0].display();
        return Err(CommandError::usage(format_args!("two things are to be shown on `{target}`"))
            .hint("give each `--volume` and `--device` a target of its own"));
    }
    let resolv_conf = resolv_conf(arguments, &mut sandbox)?;
    Ok(Steps { sandbox, resolv_conf, notes })
}

fn allowed(entitlements: &[Entitlement], notes: &mut Vec<String>) -> Allowed {
    let mut allowed = Allowed::default();
    for entitlement in entitlements {
        match entitlement {
            Entitlement::HostNetwork => allowed.host_network = true,
            Entitlement::Insecure => allowed.insecure = true,
            Entitlement::AllDevices => allowed.all_devices = true,
            Entitlement::Device(name) => allowed.devices.push(name.clone()),
            Entitlement::Files(text) => {
                notes.push(note(
                    &[format!("`--allow {text}`")],
                    "tug reads and writes what the command line names",
                ));
            }
        }
    }
    allowed
}

fn security_option(option: &str, sandbox: &mut Sandbox, notes: &mut Vec<String>) -> Result<(), CommandError> {
    let (name, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
    match (name, value) {
        ("seccomp", "unconfined") => sandbox.seccomp = Seccomp::Unconfined,
        ("seccomp", "builtin") => {}
        ("seccomp", _) => {
            return Err(CommandError::usage(format_args!(
                "`--security-opt {option}`: tug has one filter of its own"
            ))
            .hint("use `seccomp=unconfined` for none"));
        }
        ("no-new-privileges", "" | "true") => sandbox.no_new_privileges = true,
        ("no-new-privileges", "false") => {}
        ("label" | "apparmor" | "proc-opts", _) => notes.push(note(
            &[format!("`--security-opt {option}`")],
            "steps are held by namespaces and a system call filter, not by labels and profiles",
        )),
        _ => {
            return Err(CommandError::usage(format_args!("`{option}` is not a value for `--security-opt`"))
                .hint("use `seccomp=unconfined` or `no-new-privileges`"));
        }
    }
    Ok(())
}

/// The limits of both spellings.
fn resources(arguments: &StepsArguments) -> Result<Resources, CommandError> {
    let mut found = Limits {
        memory: arguments.memory,
        memory_swap: arguments.memory_swap,
        quota: arguments.cpu_quota,
        period: arguments.cpu_period,
        shares: arguments.cpu_shares,
        cpus: arguments.cpuset_cpus.clone(),
        mems: arguments.cpuset_mems.clone(),
    };
    for flag in &arguments.resource {
        match flag {
            ResourceFlag::Memory(value) => once("memory", &mut found.memory, value)?,
            ResourceFlag::MemorySwap(value) => once("memory-swap", &mut found.memory_swap, value)?,
            ResourceFlag::CpuQuota(value) => once("cpu-quota", &mut found.quota, value)?,
            ResourceFlag::CpuPeriod(value) => once("cpu-period", &mut found.period, value)?,
            ResourceFlag::CpuShares(value) => once("cpu-shares", &mut found.shares, value)?,
            ResourceFlag::CpusetCpus(value) => once("cpuset-cpus", &mut found.cpus, value)?,
            ResourceFlag::CpusetMems(value) => once("cpuset-mems", &mut found.mems, value)?,
        }
    }
    // In docker's words, 0 is no limit, and the number for swap is of memory and swap together.
    let memory = found.memory.filter(|memory| *memory > 0);
    let swap = match (memory, found.memory_swap.filter(|both| *both > 0)) {
        (_, None) => None,
        (Some(_), Some(u64::MAX)) => Some(u64::MAX),
        (Some(memory), Some(both)) if both >= memory => Some(both - memory),
        (Some(_), Some(_)) => {
            return Err(CommandError::usage("`--memory-swap` is smaller than `--memory`")
                .hint("it is memory and swap together, and -1 for any amount of swap"));
        }
        (None, Some(_)) => {
            return Err(CommandError::usage("`--memory-swap` without `--memory` limits nothing")
                .hint("say how much of it may be memory: `--memory SIZE`"));
        }
    };
    Ok(Resources {
        memory,
        swap,
        cpu_quota: found.quota.filter(|quota| *quota > 0),
        cpu_period: found.period,
        cpu_shares: found.shares,
        cpuset_cpus: found.cpus,
        cpuset_mems: found.mems,
        parent: arguments.cgroup_parent.clone(),
        ..Resources::default()
    })
}

struct Limits {
    memory: Option<u64>,
    memory_swap: Option<u64>,
    quota: Option<u64>,
    period: Option<u64>,
    shares: Option<u64>,
    cpus: Option<String>,
    mems: Option<String>,
}

fn once<T: Clone + PartialEq>(name: &str, limit: &mut Option<T>, value: &T) -> Result<(), CommandError> {
    match limit {
        Some(other) if *other != *value => {
            Err(CommandError::usage(format_args!("two different values for `{name}`"))
                .hint(format!("give it once: with `--{name}` or in `--resource`")))
        }
        _ => {
            *limit = Some(value.clone());
            Ok(())
        }
    }
}

/// The text of `/etc/resolv.conf`: what is not asked for stays as it is on this host.
fn resolv_conf(arguments: &StepsArguments, sandbox: &mut Sandbox) -> Result<Option<String>, CommandError> {
    let StepsArguments { dns, dns_search, dns_option, .. } = arguments;
    if dns.is_empty() && dns_search.is_empty() && dns_option.is_empty() {
        return Ok(None);
    }
    if dns.iter().any(|server| server == "none") {
        if dns.len() + dns_search.len() + dns_option.len() > 1 {
            return Err(CommandError::usage("`--dns none` does not go together with other `--dns` flags")
                .hint("it leaves `/etc/resolv.conf` as it is in the image"));
        }
        sandbox.keep_resolv_conf = true;
        return Ok(None);
    }
    if let Some(bad) = dns.iter().find(|server| server.parse::<IpAddr>().is_err()) {
        return Err(CommandError::usage(format_args!("`{bad}` is not the address of a name server"))
            .hint("this is about `--dns`: use for example `--dns 1.1.1.1`, or `none`"));
    }
    if let Some(bad) = dns_search.iter().chain(dns_option).find(|word| word.contains(char::is_whitespace)) {
        return Err(CommandError::usage(format_args!("`{bad}` has a space"))
            .hint("give `--dns-search` and `--dns-option` once for each word"));
    }
    let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    Ok(Some(merged(&host, dns, dns_search, dns_option)))
}

fn merged(host: &str, dns: &[String], search: &[String], options: &[String]) -> String {
    let mut text = String::new();
    for (word, asked) in [("nameserver", dns), ("search", search), ("options", options)] {
        if asked.is_empty() {
            let kept = host.lines().filter(|line| line.split_whitespace().next() == Some(word));
            kept.for_each(|line| text += &format!("{line}\n"));
        } else if word == "nameserver" {
            asked.iter().for_each(|server| text += &format!("nameserver {server}\n"));
        } else {
            text += &format!("{word} {}\n", asked.join(" "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::output::Stream;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        arguments: StepsArguments,
    }

    fn made(words: &[&str]) -> Result<Steps, String> {
        let wrapper =
            Wrapper::try_parse_from([&["build"], words].concat()).map_err(|error| error.to_string())?;
        steps(&wrapper.arguments).map_err(|error| error.text(Stream::default()))
    }

    fn sandbox(words: &[&str]) -> Sandbox {
        made(words).unwrap_or_else(|error| panic!("{words:?}: {error}")).sandbox
    }

    #[test]
    fn limits_of_both_spellings_are_the_same() {
        let flags =
            ["-m", "1g", "--memory-swap", "2g", "--cpu-quota", "50000", "--cpuset-cpus", "0-1", "-c", "512"];
        let resource =
            ["--resource", "memory=1g,memory-swap=2g,cpu-quota=50000", "--resource", "cpuset-cpus=0-1"];
        let resource = [&resource[..], &["--resource=cpu-shares=512"]].concat();
        let resources = sandbox(&flags).resources;
        assert_eq!(resources, sandbox(&resource).resources);
        assert_eq!((resources.memory, resources.swap), (Some(1 << 30), Some(1 << 30)));
        assert_eq!(sandbox(&["-m", "1g", "--memory-swap", "-1"]).resources.swap, Some(u64::MAX));
        assert_eq!(sandbox(&["-m", "0", "--cpu-quota", "-1"]).resources, Resources::default());
    }

    #[test]
    fn capabilities_are_added_and_dropped() {
        let set = |words: &[&str]| sandbox(words).capabilities;
        assert_eq!(set(&[]), capabilities::DOCKER);
        assert_eq!(set(&["--cap-drop", "all", "--cap-add", "CHOWN"]), 1);
        assert_eq!(set(&["--cap-add", "all", "--cap-drop", "CHOWN"]), capabilities::ALL & !1);
        assert_eq!(set(&["--cap-add", "NET_ADMIN,SYS_TIME"]).count_ones(), 16);
    }

    #[test]
    fn contradictions_are_refused() {
        for (words, part) in [
            (&["--cap-add", "CHOWN", "--cap-drop", "CHOWN"][..], "both added and dropped"),
            (&["--memory-swap", "1g"], "without `--memory`"),
            (&["-m", "2g", "--memory-swap", "1g"], "smaller than `--memory`"),
            (&["-m", "2g", "--resource", "memory=1g"], "two different values for `memory`"),
            (&["--dns", "none", "--dns", "1.1.1.1"], "does not go together"),
            (&["--dns", "dns.example"], "not the address of a name server"),
            (&["--dns-search", "a b"], "has a space"),
            (&["--security-opt", "seccomp=/x.json"], "one filter of its own"),
            (&["--security-opt", "secomp=x"], "not a value for `--security-opt`"),
            (&["-v", "/tmp:/x", "-v", "/etc:/x"], "shown on `/x`"),
            (&["--resource", "memry=1g"], "did you mean `memory`?"),
            (&["--allow", "network.hots"], "did you mean `network.host`?"),
            (&["--no-hosts", "--add-host", "a:1.1.1.1"], "cannot be used with"),
        ] {
            let told = made(words).err().unwrap_or_default();
            assert!(told.contains(part), "{words:?}: {told}");
        }
    }

    #[test]
    fn what_may_be_taken_is_collected() {
        let words =
            ["--allow", "network.host,device=a/b=c", "--allow=security.insecure", "--allow", "fs.read=/x"];
        let made = made(&words).unwrap();
        let allowed = made.sandbox.allowed;
        assert!(allowed.host_network && allowed.insecure && !allowed.all_devices);
        assert_eq!(allowed.devices, ["a/b=c"]);
        assert_eq!(made.notes.len(), 1, "{:?}", made.notes);
    }

    #[test]
    fn what_is_not_asked_for_stays_as_on_the_host() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let host = "# made by hand\nnameserver 10.0.0.1\nsearch corp.example\noptions edns0\n";
        assert_eq!(
            merged(host, &words(&["1.1.1.1", "8.8.8.8"]), &[], &[]),
            "nameserver 1.1.1.1\nnameserver 8.8.8.8\nsearch corp.example\noptions edns0\n"
        );
        assert_eq!(
            merged(host, &[], &words(&["a", "b"]), &words(&["ndots:1"])),
            "nameserver 10.0.0.1\nsearch a b\noptions ndots:1\n"
        );
        assert!(sandbox(&["--dns", "none"]).keep_resolv_conf);
    }
}
