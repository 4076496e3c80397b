//! Foreign clients at a `tug serve` with users: they log in through its tokens, may what the rules say, and hear why not.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tug_testdata::place::Place;
use tug_testdata::program::Program;

use super::{Serve, pulled_afresh, tool, tug_with};

/// `pw-alice` and `pw-bob`, as `htpasswd -nbB -C 4` writes them.
const USERS: &str = "\
             alice:$2y$04$zL//FCstA6V8.vdRv5Jxh.jCTcLcBguobGaE67MZeFQ7BDPhT40O.\n\
             bob:$2y$04$MZT5l0J3lDoaPemmxH1phOMlnhjP3Eh/Nbo27DA2WiBuPoJwxc6pm\n";

const RULES: [&str; 4] = ["alice:read,write", "bob:read", "@anyone:read:open", "alice:read,write:open"];

/// A client that can be logged in, with one image that it has or gets.
struct Client {
    /// The program, with all that keeps it away from the settings of this machine.
    command: Box<dyn Fn() -> Command>,
    login: &'static [&'static str],
    logout: &'static [&'static str],
    /// What makes a local image of `NAME`.
    pull: &'static [&'static str],
    /// What brings the local image of `FROM` to `NAME`.
    push: &'static [&'static [&'static str]],
}

impl Client {
    /// Runs words in which names and passwords are put.
    fn run(&self, words: &[&str], values: &[(&str, &str)]) -> Output {
        let words = words.iter().map(|word| {
            values.iter().fold((*word).to_owned(), |word, (name, value)| word.replace(name, value))
        });
        let mut command = (self.command)();
        command.args(words).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn login(&self, address: &str, user: &str, password: &str) -> Output {
        self.run(self.login, &[("ADDRESS", address), ("USER", user), ("PASSWORD", password)])
    }

    fn logout(&self, address: &str) {
        succeeds(&self.run(self.logout, &[("ADDRESS", address)]));
    }

    fn pull(&self, name: &str) -> Output {
        self.run(self.pull, &[("NAME", name)])
    }

    /// The last of the commands decides; those before it must work.
    fn push(&self, from: &str, name: &str) -> Output {
        let (last, before) = self.push.split_last().expect("a push is a command");
        let values = [("FROM", from), ("NAME", name)];
        before.iter().for_each(|words| succeeds(&self.run(words, &values)));
        self.run(last, &values)
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", told(output));
}

/// It fails, and one of `reasons` is in what is told.
fn fails(output: &Output, reasons: &[&str]) {
    let told = told(output).to_lowercase();
    assert!(!output.status.success(), "it succeeded: {told}");
    assert!(reasons.iter().any(|reason| told.contains(reason)), "{told}");
}

fn keeps_to_the_rules(client: &Client, flags: &[&str]) {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), Place::Here);
    let users = tug.path("users");
    fs::write(&users, USERS).expect("a file can be written");
    let users = users.to_string_lossy();
    let mut words = vec!["--htpasswd", users.as_ref()];
    RULES.iter().for_each(|rule| words.extend(["--allow", rule]));
    words.extend(flags);
    let serve = Serve::start_with(&tug, &words);
    let address = serve.address.as_str();
    let name = |path: &str| format!("{address}/{path}:1");
    let (open, team, other) = (name("open/app"), name("team/app"), name("team/other"));
    let with = tug_with(&[&open]);
    with.must(&["push", "-q", "--creds", "alice:pw-alice", &open]);

    let refused = ["unauthorized", "denied", "authentication required", "invalid username/password"];
    succeeds(&client.pull(&open));
    fails(&client.push(&open, &team), &refused);
    fails(&client.login(address, "alice", "pw-bob"), &refused);
    succeeds(&client.login(address, "alice", "pw-alice"));
    succeeds(&client.push(&open, &team));
    client.logout(address);
    fails(&client.pull(&team), &refused);
    succeeds(&client.login(address, "bob", "pw-bob"));
    succeeds(&client.pull(&team));
    fails(&client.push(&open, &other), &refused);
    client.logout(address);

    pulled_afresh(&with, &["pull", "-q", "--creds", "bob:pw-bob", &team]);
    let missing = with.run(&["pull", "-q", "--creds", "bob:pw-bob", &other]);
    assert_eq!(missing.status.code(), Some(1), "nothing of it has come: {}", told(&missing));
}

/// A program of the containers family, with its credentials in a folder of the test.
fn with_credentials(mut command: Command, folder: &Path) -> Command {
    command.env("REGISTRY_AUTH_FILE", folder.join("auth.json"));
    command
}

fn skopeo(folder: PathBuf) -> Client {
    Client {
        command: Box::new(move || {
            let mut command = with_credentials(Command::new("skopeo"), &folder);
            command.arg("--insecure-policy").current_dir(&folder);
            command
        }),
        login: &["login", "--tls-verify=false", "-u", "USER", "-p", "PASSWORD", "ADDRESS"],
        logout: &["logout", "ADDRESS"],
        pull: &["copy", "--src-tls-verify=false", "docker://NAME", "oci:image:1"],
        push: &[&["copy", "--dest-tls-verify=false", "oci:image:1", "docker://NAME"]],
    }
}

#[test]
#[ignore = "needs skopeo"]
fn skopeo_logs_in_at_tug_serve_needs_skopeo() {
    for flags in [&[][..], &["--basic-auth"]] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        keeps_to_the_rules(&skopeo(folder.path().to_owned()), flags);
    }
}

#[test]
#[ignore = "needs root, podman"]
fn podman_logs_in_at_tug_serve_needs_root_needs_podman() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    // podman wants the file to be there, even to find nobody in it.
    fs::write(folder.path().join("auth.json"), "{}").expect("a file can be written");
    let path = folder.path().to_owned();
    let client = Client {
        command: Box::new(move || with_credentials(tool("podman", &path), &path)),
        login: &["login", "--tls-verify=false", "-u", "USER", "-p", "PASSWORD", "ADDRESS"],
        logout: &["logout", "ADDRESS"],
        pull: &["pull", "--quiet", "--tls-verify=false", "NAME"],
        push: &[&["push", "--quiet", "--tls-verify=false", "FROM", "docker://NAME"]],
    };
    keeps_to_the_rules(&client, &[]);
}

#[test]
#[ignore = "needs docker"]
fn docker_logs_in_at_tug_serve_needs_docker() {
    let host = std::env::var("TUG_TEST_DOCKER_HOST").expect("TUG_TEST_DOCKER_HOST names the engine");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let configuration: Box<OsStr> = folder.path().as_os_str().into();
    let client = Client {
        command: Box::new(move || {
            let mut command = Command::new("docker");
            command.args(["--host", &host]).env("DOCKER_CONFIG", &configuration);
            command
        }),
        login: &["login", "-u", "USER", "-p", "PASSWORD", "ADDRESS"],
        logout: &["logout", "ADDRESS"],
        pull: &["pull", "--quiet", "NAME"],
        push: &[&["tag", "FROM", "NAME"], &["push", "--quiet", "NAME"]],
    };
    keeps_to_the_rules(&client, &[]);
}
