//! How what is not on this machine is reached: the environment, put into the options of the library.

use std::ffi::OsString;
use std::path::PathBuf;

use tug_builder::RemoteOptions;
use tug_fetch::{GitOptions, HttpOptions, Proxies};

use crate::environment::{self, Environment};

/// Variables of git's own that are about reaching a server. Others could lead it to other repositories and settings.
const OF_GIT: [&str; 8] = [
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_ASKPASS",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
];

/// What the environment says of the network.
pub(crate) fn options(environment: &Environment) -> RemoteOptions {
    let proxies = proxies(environment);
    let roots = environment.path(environment::SSL_CERT_FILE).into_iter().collect::<Vec<PathBuf>>();
    RemoteOptions {
        http: HttpOptions { proxies, roots, ..HttpOptions::default() },
        git: GitOptions { environment: of_git(environment), ..GitOptions::default() },
    }
}

/// The way to servers.
pub(crate) fn proxies(environment: &Environment) -> Proxies {
    let first = |names: [&str; 2]| names.iter().find_map(|name| environment.text(name)).map(str::to_owned);
    Proxies {
        http: first(["http_proxy", "HTTP_PROXY"]),
        https: first(["https_proxy", "HTTPS_PROXY"]),
        all: first(["all_proxy", "ALL_PROXY"]),
        none: first(["no_proxy", "NO_PROXY"]),
    }
}

/// The environment of `git`.
pub(crate) fn of_git(environment: &Environment) -> Vec<(OsString, OsString)> {
    let counts = |name: &OsString| {
        let name = name.to_string_lossy();
        !name.starts_with("GIT_") || OF_GIT.contains(&name.as_ref())
    };
    environment
        .all()
        .filter(|(name, _)| counts(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_is_not_led_elsewhere() {
        let environment: Environment =
            [("HOME", "/home/u"), ("GIT_DIR", "/x"), ("GIT_CONFIG_COUNT", "1"), ("GIT_SSH_COMMAND", "ssh")]
                .into();
        let names: Vec<OsString> = of_git(&environment).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["GIT_SSH_COMMAND", "HOME"]);
    }

    #[test]
    fn proxies_are_taken_in_either_spelling() {
        let environment: Environment =
            [("HTTP_PROXY", "http://a"), ("http_proxy", "http://b"), ("NO_PROXY", "x"), ("HTTPS_PROXY", "")]
                .into();
        let proxies = options(&environment).http.proxies;
        assert_eq!((proxies.http.as_deref(), proxies.none.as_deref()), (Some("http://b"), Some("x")));
        assert_eq!((proxies.https, proxies.all), (None, None));
    }
}
