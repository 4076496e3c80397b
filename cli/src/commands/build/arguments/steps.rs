//! What RUN steps get of this machine, and what the Dockerfile may take.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use tug_builder::Volume;
use tug_runtime::{Ulimit, capabilities};

use crate::arguments::sandbox::{self, DeviceFlag};
use crate::arguments::values;
use crate::suggest;

/// What RUN steps get.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What steps get")]
pub(crate) struct StepsArguments {
    /// Let the Dockerfile take this (can be repeated): `network.host`, `security.insecure`, `device[=NAME]`
    #[arg(long, value_name = "WHAT", value_delimiter = ',', hide_short_help = true)]
    pub(crate) allow: Vec<Entitlement>,
    /// Add a line to `/etc/hosts` (can be repeated); `host-gateway` is this machine
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = sandbox::host, hide_short_help = true)]
    pub(crate) add_host: Vec<(String, IpAddr)>,
    /// Leave `/etc/hosts` as it is in the image
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    #[arg(value_name = "BOOL", conflicts_with = "add_host")]
    pub(crate) no_hosts: Option<bool>,
    /// Ask this name server (can be repeated); `none` leaves `/etc/resolv.conf` as it is in the image
    #[arg(long, value_name = "ADDRESS", hide_short_help = true)]
    pub(crate) dns: Vec<String>,
    /// Look for short names in this domain (can be repeated)
    #[arg(long, value_name = "DOMAIN", hide_short_help = true)]
    pub(crate) dns_search: Vec<String>,
    /// Set an option of `resolv.conf` (can be repeated)
    #[arg(long, value_name = "OPTION", alias = "dns-opt", hide_short_help = true)]
    pub(crate) dns_option: Vec<String>,
    /// Hand the proxy variables of the environment on [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    #[arg(value_name = "BOOL")]
    pub(crate) http_proxy: Option<bool>,

    /// Show a file or folder of the host in each step (can be repeated); options: ro, z, Z, U, O
    #[arg(short, long, value_name = "SOURCE:TARGET[:OPTIONS]", value_parser = sandbox::volume)]
    #[arg(hide_short_help = true)]
    pub(crate) volume: Vec<Volume>,
    /// Give each step a device (can be repeated): `/dev/NAME`, or `VENDOR/CLASS=NAME` as CDI describes it
    #[arg(long, value_name = "DEVICE", value_parser = sandbox::device, hide_short_help = true)]
    pub(crate) device: Vec<DeviceFlag>,
    /// Size of `/dev/shm` [default: 64m]
    #[arg(long, value_name = "SIZE", value_parser = values::bytes, hide_short_help = true)]
    pub(crate) shm_size: Option<u64>,

    /// Limit each process (can be repeated), such as `nofile=1024:2048`
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = sandbox::ulimit, hide_short_help = true)]
    pub(crate) ulimit: Vec<Ulimit>,
    /// At most so much memory for a step, such as `512m`
    #[arg(short, long, value_name = "SIZE", value_parser = values::memory, hide_short_help = true)]
    pub(crate) memory: Option<u64>,
    /// At most so much memory and swap together; -1 for any amount of swap
    #[arg(long, value_name = "SIZE", value_parser = sandbox::memory_and_swap, allow_hyphen_values = true)]
    #[arg(hide_short_help = true)]
    pub(crate) memory_swap: Option<u64>,
    /// Microseconds of processor time in each period
    #[arg(long, value_name = "MICROSECONDS", value_parser = sandbox::quota, allow_hyphen_values = true)]
    #[arg(hide_short_help = true)]
    pub(crate) cpu_quota: Option<u64>,
    /// Microseconds of such a period [default: 100000]
    #[arg(long, value_name = "MICROSECONDS", value_parser = sandbox::period, hide_short_help = true)]
    pub(crate) cpu_period: Option<u64>,
    /// Weight against others when processors are short [default: 1024]
    #[arg(short = 'c', long, value_name = "NUMBER", value_parser = sandbox::shares, hide_short_help = true)]
    pub(crate) cpu_shares: Option<u64>,
    /// The processors to use, such as `0-3,8`
    #[arg(long, value_name = "LIST", value_parser = sandbox::number_list, hide_short_help = true)]
    pub(crate) cpuset_cpus: Option<String>,
    /// The memory nodes to use
    #[arg(long, value_name = "LIST", value_parser = sandbox::number_list, hide_short_help = true)]
    pub(crate) cpuset_mems: Option<String>,
    /// The same limits in one flag, such as `memory=1g,cpu-quota=50000` (can be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', hide_short_help = true)]
    pub(crate) resource: Vec<ResourceFlag>,
    /// Make the control group of each step below this one
    #[arg(long, value_name = "PATH", value_parser = sandbox::control_group, hide_short_help = true)]
    pub(crate) cgroup_parent: Option<PathBuf>,

    /// Give root of each step a capability (can be repeated)
    #[arg(long, value_name = "NAME", value_parser = sandbox::capability, value_delimiter = ',')]
    #[arg(hide_short_help = true)]
    pub(crate) cap_add: Vec<capabilities::Set>,
    /// Take a capability from root of each step (can be repeated)
    #[arg(long, value_name = "NAME", value_parser = sandbox::capability, value_delimiter = ',')]
    #[arg(hide_short_help = true)]
    pub(crate) cap_drop: Vec<capabilities::Set>,
    /// Change how steps are held (can be repeated): `seccomp=unconfined`, `no-new-privileges`
    #[arg(long, value_name = "OPTION", hide_short_help = true)]
    pub(crate) security_opt: Vec<String>,
    /// Put the processes of each step into a further group (can be repeated)
    #[arg(long, value_name = "GID", hide_short_help = true)]
    pub(crate) group_add: Vec<u32>,
}

/// `--allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entitlement {
    /// `network.host`
    HostNetwork,
    /// `security.insecure`
    Insecure,
    /// `device`
    AllDevices,
    /// `device=NAME`
    Device(String),
    /// `fs=…`, `ssh`: what a bake file may read and write. Nothing keeps it from that here.
    Files(String),
}

impl FromStr for Entitlement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.split('=').next().unwrap_or(text);
        match (name, text.split_once('=')) {
            ("network.host", None) => Ok(Self::HostNetwork),
            ("security.insecure", None) => Ok(Self::Insecure),
            ("device", None) => Ok(Self::AllDevices),
            ("device", Some((_, device))) if !device.is_empty() => Ok(Self::Device(device.to_owned())),
            ("fs" | "fs.read" | "fs.write" | "ssh", _) => Ok(Self::Files(text.to_owned())),
            _ => {
                let known = ["network.host", "security.insecure", "device"].map(str::to_owned);
                Err(match suggest::closest(text, &known) {
                    Some(similar) => {
                        format!("nothing called `{text}` can be allowed: did you mean `{similar}`?")
                    }
                    None => format!(
                        "nothing called `{text}` can be allowed: use `network.host`, `security.insecure` or \
                         `device[=NAME]`"
                    ),
                })
            }
        }
    }
}

/// One limit of `--resource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourceFlag {
    /// `memory`
    Memory(u64),
    /// `memory-swap`
    MemorySwap(u64),
    /// `cpu-quota`
    CpuQuota(u64),
    /// `cpu-period`
    CpuPeriod(u64),
    /// `cpu-shares`
    CpuShares(u64),
    /// `cpuset-cpus`
    CpusetCpus(String),
    /// `cpuset-mems`
    CpusetMems(String),
}

impl FromStr for ResourceFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not a limit: expected for example `memory=1g`"))?;
        match name {
            "memory" => values::memory(value).map(Self::Memory),
            "memory-swap" => sandbox::memory_and_swap(value).map(Self::MemorySwap),
            "cpu-quota" => sandbox::quota(value).map(Self::CpuQuota),
            "cpu-period" => sandbox::period(value).map(Self::CpuPeriod),
            "cpu-shares" => sandbox::shares(value).map(Self::CpuShares),
            "cpuset-cpus" => sandbox::number_list(value).map(Self::CpusetCpus),
            "cpuset-mems" => sandbox::number_list(value).map(Self::CpusetMems),
            _ => {
                let known = [
                    "memory",
                    "memory-swap",
                    "cpu-quota",
                    "cpu-period",
                    "cpu-shares",
                    "cpuset-cpus",
                    "cpuset-mems",
                ]
                .map(str::to_owned);
                Err(match suggest::closest(name, &known) {
                    Some(similar) => format!("no resource is called `{name}`: did you mean `{similar}`?"),
                    None => format!("no resource is called `{name}`: they are `{}`", known.join("`, `")),
                })
            }
        }
    }
}
