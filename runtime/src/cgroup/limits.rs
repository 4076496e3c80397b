//! What limits come to, in the words of both versions.

use crate::Resources;

/// Microseconds over which the share of the processors is counted.
const PERIOD: u64 = 100_000;
/// The kernel takes no less than a millisecond.
const LEAST_QUOTA: u64 = 1_000;

/// All limits of one controller: with version 1 each of them has a group of its own.
pub(super) struct Limit {
    pub(super) what: &'static str,
    pub(super) controller: &'static str,
    /// Files and what is written to them. What is optional may be missing.
    pub(super) version2: Vec<Setting>,
    pub(super) version1: Vec<Setting>,
}

#[derive(Clone)]
pub(super) struct Setting {
    pub(super) file: &'static str,
    pub(super) value: String,
    pub(super) optional: bool,
}

/// The limits of a container. With a parent and nothing else, only the group that counts its processes is made there.
pub(super) fn limits(resources: &Resources) -> Vec<Limit> {
    let mut limits: Vec<Limit> =
        [memory(resources), processors(resources), processor_set(resources), processes(resources)]
            .into_iter()
            .flatten()
            .collect();
    if limits.is_empty() && resources.parent.is_some() {
        limits.push(Limit {
            what: "the control group",
            controller: "pids",
            version2: Vec::new(),
            version1: Vec::new(),
        });
    }
    limits
}

fn memory(resources: &Resources) -> Option<Limit> {
    let bytes = resources.memory?;
    let swap = resources.swap.unwrap_or(0);
    // Version 1 counts memory and swap together.
    let (swap, both) = match swap {
        u64::MAX => ("max".to_owned(), "-1".to_owned()),
        swap => (swap.to_string(), bytes.saturating_add(swap).to_string()),
    };
    Some(Limit {
        what: "memory",
        controller: "memory",
        version2: vec![must("memory.max", &bytes), may("memory.swap.max", &swap)],
        version1: vec![must("memory.limit_in_bytes", &bytes), may("memory.memsw.limit_in_bytes", &both)],
    })
}

fn processors(resources: &Resources) -> Option<Limit> {
    let (mut version2, mut version1) = (Vec::new(), Vec::new());
    let period = resources.cpu_period.unwrap_or(PERIOD);
    let quota = match (resources.cpus, resources.cpu_quota) {
        (Some(cpus), _) => Some((cpus * period as f64) as u64),
        (None, quota) => quota,
    };
    if quota.is_some() || resources.cpu_period.is_some() {
        let quota = quota.map(|quota| quota.max(LEAST_QUOTA).to_string());
        let text = quota.clone().unwrap_or_else(|| "max".to_owned());
        version2.push(must("cpu.max", &format!("{text} {period}")));
        version1.push(must("cpu.cfs_period_us", &period));
        version1.extend(quota.map(|quota| must("cpu.cfs_quota_us", &quota)));
    }
    if let Some(shares) = resources.cpu_shares {
        version2.push(must("cpu.weight", &weight(shares)));
        version1.push(must("cpu.shares", &shares));
    }
    let is_limited = !version2.is_empty();
    is_limited.then_some(Limit { what: "processors", controller: "cpu", version2, version1 })
}

/// What version 2 has in place of shares: 2 to 262,144 become 1 to 10,000.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

fn processor_set(resources: &Resources) -> Option<Limit> {
    let cpus = resources.cpuset_cpus.as_ref().map(|list| must("cpuset.cpus", list));
    let mems = resources.cpuset_mems.as_ref().map(|list| must("cpuset.mems", list));
    let settings = || cpus.iter().chain(&mems).cloned().collect::<Vec<_>>();
    let is_limited = cpus.is_some() || mems.is_some();
    is_limited.then(|| Limit {
        what: "which processors",
        controller: "cpuset",
        version2: settings(),
        version1: settings(),
    })
}

fn processes(resources: &Resources) -> Option<Limit> {
    let settings = || resources.pids.map(|count| vec![must("pids.max", &count)]);
    Some(Limit { what: "processes", controller: "pids", version2: settings()?, version1: settings()? })
}

fn must(file: &'static str, value: &dyn ToString) -> Setting {
    Setting { file, value: value.to_string(), optional: false }
}

fn may(file: &'static str, value: &dyn ToString) -> Setting {
    Setting { file, value: value.to_string(), optional: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `file=value` for both versions.
    fn said(resources: &Resources) -> String {
        let line = |settings: &[Setting]| {
            let words = settings.iter().map(|setting| format!("{}={}", setting.file, setting.value));
            words.collect::<Vec<_>>().join(" ")
        };
        let limits = limits(resources);
        let lines =
            limits.iter().map(|limit| format!("{} | {}", line(&limit.version2), line(&limit.version1)));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn limits_are_said_in_the_words_of_both_versions() {
        let all = Resources {
            memory: Some(100),
            swap: Some(50),
            cpu_quota: Some(20_000),
            cpu_period: Some(50_000),
            cpu_shares: Some(1_024),
            cpuset_cpus: Some("0-1".to_owned()),
            cpuset_mems: Some("0".to_owned()),
            pids: Some(7),
            ..Resources::default()
        };
        insta::assert_snapshot!(said(&all), @"
        memory.max=100 memory.swap.max=50 | memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=150
        cpu.max=20000 50000 cpu.weight=39 | cpu.cfs_period_us=50000 cpu.cfs_quota_us=20000 cpu.shares=1024
        cpuset.cpus=0-1 cpuset.mems=0 | cpuset.cpus=0-1 cpuset.mems=0
        pids.max=7 | pids.max=7
        ");
    }

    #[test]
    fn what_is_not_limited_stays_as_it_is() {
        let swap = Resources { memory: Some(100), swap: Some(u64::MAX), ..Resources::default() };
        assert_eq!(
            said(&swap),
            "memory.max=100 memory.swap.max=max | memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=-1"
        );
        let cpus = Resources { cpus: Some(0.001), ..Resources::default() };
        assert_eq!(said(&cpus), "cpu.max=1000 100000 | cpu.cfs_period_us=100000 cpu.cfs_quota_us=1000");
        assert_eq!(said(&Resources::default()), "");
        let parent = Resources { parent: Some("/box".into()), ..Resources::default() };
        assert_eq!(limits(&parent).len(), 1, "a group is made, for its place alone");
    }

    #[test]
    fn shares_become_weights_at_both_ends() {
        assert_eq!((weight(0), weight(2), weight(262_144), weight(u64::MAX)), (1, 1, 10_000, 10_000));
    }
}
