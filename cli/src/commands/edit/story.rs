//! What the history tells of an edit: each change as the instruction that would have made it, as docker writes it.

use std::collections::BTreeMap;

use tug_builder::history_text;
use tug_oci::{Empty, RunConfig};

/// A line for each kind of change between two configs.
pub(super) fn lines(before: &RunConfig, after: &RunConfig) -> Vec<String> {
    let mut lines = Vec::new();
    let new_env: Vec<&str> =
        after.env.iter().filter(|line| !before.env.contains(line)).map(String::as_str).collect();
    if !new_env.is_empty() {
        lines.push(format!("ENV {}", new_env.join(" ")));
    }
    let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    let kept: Vec<String> = after.env.iter().map(|line| name(line)).collect();
    gone(&mut lines, "ENV", before.env.iter().map(|line| name(line)).filter(|name| !kept.contains(name)));
    if after.entrypoint != before.entrypoint {
        lines.push(history_text::command("ENTRYPOINT", after.entrypoint.as_deref().unwrap_or_default()));
    }
    let is_dropped = after.cmd.is_none() && after.entrypoint != before.entrypoint;
    if after.cmd != before.cmd && !is_dropped {
        lines.push(history_text::command("CMD", after.cmd.as_deref().unwrap_or_default()));
    }
    if after.user != before.user {
        lines.push(format!("USER {}", after.user));
    }
    if after.working_dir != before.working_dir {
        lines.push(format!("WORKDIR {}", after.working_dir));
    }
    let ports = added(&before.exposed_ports, &after.exposed_ports);
    if !ports.is_empty() {
        lines.push(history_text::expose(&ports));
    }
    gone(&mut lines, "EXPOSE", added(&after.exposed_ports, &before.exposed_ports));
    let volumes = added(&before.volumes, &after.volumes);
    if !volumes.is_empty() {
        lines.push(history_text::bare_list("VOLUME", &volumes));
    }
    gone(&mut lines, "VOLUME", added(&after.volumes, &before.volumes));
    if let Some(signal) = after.stop_signal.as_ref().filter(|_| after.stop_signal != before.stop_signal) {
        lines.push(format!("STOPSIGNAL {signal}"));
    }
    if let Some(check) = after.healthcheck.as_ref().filter(|_| after.healthcheck != before.healthcheck) {
        lines.push(history_text::healthcheck(check));
    }
    if let Some(shell) = after.shell.as_ref().filter(|_| after.shell != before.shell) {
        lines.push(history_text::bare_list("SHELL", shell));
    }
    let old_triggers = before.on_build.len();
    if let Some(triggers) = after.on_build.get(old_triggers..) {
        lines.extend(triggers.iter().map(|trigger| format!("ONBUILD {trigger}")));
    }
    let labels: Vec<String> = after
        .labels
        .iter()
        .filter(|(name, value)| before.labels.get(*name) != Some(value))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !labels.is_empty() {
        lines.push(format!("LABEL {}", labels.join(" ")));
    }
    let is_gone = |name: &String| !after.labels.contains_key(name);
    gone(&mut lines, "LABEL", before.labels.keys().filter(|name| is_gone(name)).cloned());
    lines
}

fn added(before: &BTreeMap<String, Empty>, after: &BTreeMap<String, Empty>) -> Vec<String> {
    after.keys().filter(|key| !before.contains_key(*key)).cloned().collect()
}

/// There is no instruction that takes something away, so it is told in words.
fn gone(lines: &mut Vec<String>, keyword: &str, names: impl IntoIterator<Item = String>) {
    let names: Vec<String> = names.into_iter().collect();
    if !names.is_empty() {
        lines.push(format!("{keyword} without {}", names.join(" ")));
    }
}
