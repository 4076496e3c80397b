//! What of the user's own settings counts.
//!
//! Git's settings can name programs for many things: hooks, filters, watchers of files. None of that is wanted here, so
//! git is told to read no settings but those that say how a server is reached: helpers and headers for logging in,
//! proxies and certificates, other names of servers, and the way ssh is started.

use std::process::{Command, Stdio};

use super::{GitOptions, program};

/// The settings that are handed on.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub pairs: Vec<(String, String)>,
}

impl Settings {
    /// Those of the machine and of the user. Without git there are none; that is told by whoever needs it.
    pub(super) fn of_user(options: &GitOptions) -> Self {
        let mut pairs = Vec::new();
        let Some(program) = program::find(&options.environment) else { return Self::default() };
        for scope in ["--system", "--global"] {
            let mut command = Command::new(&program);
            command.args(["config", scope, "--includes", "--list", "-z"]).current_dir("/");
            command.env_clear().envs(options.environment.iter().map(|(name, value)| (name, value)));
            command.stdin(Stdio::null()).stderr(Stdio::null());
            let Ok(output) = command.output() else { break };
            pairs.extend(kept(&String::from_utf8_lossy(&output.stdout)));
        }
        Self { pairs }
    }
}

/// The pairs of `git config --list -z` that count.
fn kept(listing: &str) -> Vec<(String, String)> {
    let pairs = listing.split('\0').filter_map(|pair| match pair.split_once('\n') {
        Some((name, value)) => Some((name, value)),
        // A name alone means `true`.
        None => Some((pair, "true")).filter(|_| !pair.is_empty()),
    });
    let counts = |name: &str| {
        let (section, key) = (name.split('.').next(), name.rsplit('.').next());
        match section {
            Some("credential" | "http") => true,
            Some("url") => matches!(key, Some("insteadof")),
            Some("core") => name == "core.sshcommand",
            Some("ssh") => name == "ssh.variant",
            _ => false,
        }
    };
    pairs.filter(|(name, _)| counts(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ways_to_a_server_are_handed_on() {
        let listing = "user.name\nme\0credential.helper\nstore\0core.hookspath\n/evil\0core.fsmonitor\nevil\0\
                       http.https://h.example/.extraheader\nA: b\nc\0filter.lfs.smudge\nevil\0\
                       url.git@h.example:.insteadof\nhttps://h.example/\0core.sshcommand\nssh -i key\0\
                       http.sslverify\0url.x.pushinsteadof\ny\0";
        let kept = kept(listing);
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "credential.helper",
                "http.https://h.example/.extraheader",
                "url.git@h.example:.insteadof",
                "core.sshcommand",
                "http.sslverify"
            ]
        );
        assert_eq!(kept[1].1, "A: b\nc");
        assert_eq!(kept[4].1, "true");
    }
}
