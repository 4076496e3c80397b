//! The `git` program, started so that a repository can make it do nothing but its work.
//!
//! | what could go wrong                      | what is done                                                             |
//! | ---------------------------------------- | ------------------------------------------------------------------------ |
//! | `ext::` and other transports run programs | only http, https, ssh and git are allowed, for submodules too           |
//! | hooks, filters, watchers                 | none: no hooks, no settings but those of `config`, no attributes of users |
//! | it asks for a password                   | it cannot: no terminal, ssh in batch mode                                |
//! | an address or a name looks like an option | such ones are refused before; addresses are not on the command line at all |
//! | a password is seen by others             | the same: they are in the environment, which only the user sees          |
//! | it hangs, or is not wanted any more      | it is killed with everything it has started                              |

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::config::Settings;
use super::{GitOptions, GitUrl};
use crate::error::Error;
use crate::stop::Stop;

/// The most of git's messages that is kept.
const MOST_MESSAGES: usize = 64 * 1024;

/// The name under which the address is known to git.
pub(super) const REMOTE: &str = "tug";

/// How git is started for one repository.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Where git is; `None` when it is not.
    program: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    idle: Duration,
    shown: String,
    secrets: Vec<String>,
}

impl Program {
    pub(super) fn new(options: &GitOptions, settings: &Settings, url: &GitUrl) -> Self {
        let mut pairs = settings.pairs.clone();
        let own = [
            ("protocol.allow", "never"),
            ("protocol.http.allow", "always"),
            ("protocol.https.allow", "always"),
            ("protocol.ssh.allow", "always"),
            ("protocol.git.allow", "always"),
            ("core.hooksPath", "/dev/null"),
            ("core.attributesFile", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("core.logAllRefUpdates", "false"),
            ("fetch.recurseSubmodules", "false"),
            ("submodule.recurse", "false"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", "60"),
            ("tar.umask", "0022"),
        ];
        pairs.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let mut secrets: Vec<String> = url.secret().map(str::to_owned).into_iter().collect();
        for credential in &options.credentials {
            let host = match credential.host.as_str() {
                "" => url.entrusted(),
                host => Some(host),
            };
            for (scheme, host) in ["https", "http"].into_iter().filter_map(|scheme| Some((scheme, host?))) {
                let name = format!("http.{scheme}://{host}/.extraHeader");
                pairs.push((name, format!("Authorization: {}", credential.authorization)));
            }
            secrets.push(credential.authorization.clone());
        }
        pairs.push((format!("remote.{REMOTE}.url"), url.remote().to_owned()));
        let mut environment = options.environment.clone();
        let has = |name: &str| environment.iter().any(|(known, _)| known == OsStr::new(name));
        let has_ssh = has("GIT_SSH_COMMAND")
            || has("GIT_SSH")
            || pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case("core.sshcommand"));
        let mut set = |name: &str, value: &str| environment.push((name.into(), value.into()));
        if !has_ssh {
            set("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=30");
        }
        set("GIT_TERMINAL_PROMPT", "0");
        set("GIT_CONFIG_NOSYSTEM", "1");
        set("GIT_CONFIG_GLOBAL", "/dev/null");
        set("GIT_CONFIG_COUNT", &pairs.len().to_string());
        for (number, (name, value)) in pairs.iter().enumerate() {
            set(&format!("GIT_CONFIG_KEY_{number}"), name);
            set(&format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        // Its messages are read.
        set("LC_ALL", "C");
        let program = find(&options.environment);
        Self { program, environment, idle: options.idle, shown: url.to_string(), secrets }
    }

    /// The same program for what else it may be allowed.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut program = self.clone();
        program.environment.push((name.into(), value.into()));
        program
    }

    /// What git is told of its settings.
    #[cfg(test)]
    pub(super) fn settings(&self) -> Vec<(String, String)> {
        let variable = |name: String| {
            let found = self.environment.iter().rev().find(|(known, _)| *known == *name);
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        };
        let pair = |number: usize| {
            Some((
                variable(format!("GIT_CONFIG_KEY_{number}"))?,
                variable(format!("GIT_CONFIG_VALUE_{number}"))?,
            ))
        };
        (0..).map_while(pair).collect()
    }

    /// The repository, as messages show it.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Runs git in `folder` and hands back what it wrote.
    pub(super) fn output<A: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: &[A],
        stop: &Stop,
    ) -> Result<Vec<u8>, Failure> {
        let mut written = Vec::new();
        self.stream(folder, arguments, stop, |output| output.read_to_end(&mut written).map(drop))?;
        Ok(written)
    }

    /// Runs git in `folder`; `read` gets what it writes while it does. Git's own failure comes before that of `read`.
    pub(super) fn stream<A: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: &[A],
        stop: &Stop,
        read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let no_git = || Failure::Final(Error::NoGit { url: self.shown.clone() });
        let mut command = Command::new(self.program.as_ref().ok_or_else(no_git)?);
        command.args(arguments).current_dir(folder).process_group(0);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| Failure::Final(self.failed(&error.to_string(), None)))?;
        let mut running = Running { child, is_over: false };
        let mut stdout = running.child.stdout.take().expect("it is a pipe");
        let stderr = running.child.stderr.take().expect("it is a pipe");
        let messages = Messages::collect(stderr);
        let hung = Arc::new(AtomicBool::new(false));
        let _watch = {
            let (group, heard, idle) = (running.group(), Arc::clone(&messages.heard), self.idle);
            let (stop, hung) = (stop.clone(), Arc::clone(&hung));
            let is_over = Stop::when(move || {
                let silent = heard.lock().expect("nobody panics while holding it").elapsed();
                if silent > idle {
                    hung.store(true, Ordering::SeqCst);
                }
                silent > idle || stop.is_stopped()
            });
            is_over.watch(move || {
                // It may have ended by itself.
                let _ = kill_process_group(group, Signal::KILL);
            })
        };
        let outcome = read(&mut Heard { reader: &mut stdout, heard: Arc::clone(&messages.heard) });
        if outcome.is_err() {
            running.kill();
        }
        drop(stdout);
        let status = running.wait();
        let text = messages.text();
        if stop.is_stopped() {
            return Err(Failure::Final(Error::Stopped));
        }
        if hung.load(Ordering::SeqCst) {
            let reason = format!("nothing came for {} seconds", self.idle.as_secs());
            let advice = Some("is the address right, and is there a network?");
            return Err(Failure::Final(self.failed(&reason, advice)));
        }
        // What git says of its own end explains why there was nothing to read.
        let has_failed = |status: &io::Result<ExitStatus>| {
            status.as_ref().is_ok_and(|status| status.code().is_some_and(|code| code != 0))
        };
        match (outcome, status) {
            (Err(_), status) if has_failed(&status) => {
                Err(Failure::Git { text: self.without_secrets(&text) })
            }
            (Err(error), _) => Err(Failure::Reading(error)),
            (Ok(()), Ok(status)) if status.success() => Ok(()),
            (Ok(()), Ok(_)) => Err(Failure::Git { text: self.without_secrets(&text) }),
            (Ok(()), Err(error)) => Err(Failure::Final(self.failed(&error.to_string(), None))),
        }
    }

    /// The error for what git has said.
    pub(super) fn error(&self, failure: Failure) -> Error {
        match failure {
            Failure::Final(error) => error,
            Failure::Reading(error) => self.failed(&error.to_string(), None),
            Failure::Git { text } => {
                let (reason, advice) = explain(&text);
                self.failed(&reason, advice)
            }
        }
    }

    pub(super) fn failed(&self, reason: &str, advice: Option<&'static str>) -> Error {
        Error::Git { url: self.shown.clone(), reason: self.without_secrets(reason), advice }
    }

    fn without_secrets(&self, text: &str) -> String {
        let secrets = self.secrets.iter().filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// What git says of itself, for example `2.47.3`; `None` when there is none on the `PATH` of `environment`.
pub fn git_version(environment: &[(OsString, OsString)]) -> Option<String> {
    let mut command = Command::new(find(environment)?);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.trim().trim_start_matches("git version ").to_owned())
}

/// Looks for git on the `PATH` of an environment.
pub(super) fn find(environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    let path = &environment.iter().rev().find(|(name, _)| name == "PATH")?.1;
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join("git")).find(is_program)
}

/// Why git did not do what it was asked to.
#[derive(Debug)]
pub(super) enum Failure {
    /// It ended with an error, and said this.
    Git { text: String },
    /// What it wrote could not be taken.
    Reading(io::Error),
    /// It is clear what went wrong.
    Final(Error),
}

impl Failure {
    /// Whether git's messages have one of these words.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        matches!(self, Self::Git { text } if words.iter().any(|word| text.contains(word)))
    }
}

/// What git said, in one line, and what it means for the user.
fn explain(text: &str) -> (String, Option<&'static str>) {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let main = lines.iter().rev().find(|line| line.starts_with("fatal: ") || line.starts_with("error: "));
    let line = main.or(lines.last()).copied().unwrap_or("git failed without a word");
    let reason = line.trim_start_matches("fatal: ").trim_start_matches("error: ");
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let advice = if says(&["could not read Username", "could not read Password", "Authentication failed"]) {
        "it wants a login: set up a credential helper of git, or give a token with \
         `--secret id=GIT_AUTH_TOKEN,env=NAME`"
    } else if says(&["Permission denied (", "Too many authentication failures"]) {
        "ssh was not let in: load the right key with `ssh-add`"
    } else if says(&["Host key verification failed"]) {
        "ssh does not know this host yet: connect to it once with `ssh`, and look at its key"
    } else if says(&[
        "Could not resolve host",
        "Name or service not known",
        "Connection refused",
        "timed out",
    ]) {
        "is the address right, and is there a network?"
    } else if says(&["cannot run ssh"]) {
        "install ssh, for example with `apt-get install openssh-client`"
    } else {
        return (reason.to_owned(), None);
    };
    (reason.to_owned(), Some(advice))
}

/// A process that does not outlive its owner.
struct Running {
    child: Child,
    is_over: bool,
}

impl Running {
    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn kill(&self) {
        // It may have ended by itself.
        let _ = kill_process_group(self.group(), Signal::KILL);
    }

    fn wait(&mut self) -> io::Result<ExitStatus> {
        self.is_over = true;
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

/// What git says beside its output, and when something was last heard of it.
struct Messages {
    text: thread::JoinHandle<Vec<u8>>,
    heard: Arc<Mutex<Instant>>,
}

impl Messages {
    fn collect(mut stderr: impl Read + Send + 'static) -> Self {
        let heard = Arc::new(Mutex::new(Instant::now()));
        let listen = {
            let heard = Arc::clone(&heard);
            move || {
                let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(count) = stderr.read(&mut buffer) {
                    if count == 0 {
                        break;
                    }
                    *heard.lock().expect("nobody panics while holding it") = Instant::now();
                    text.extend_from_slice(&buffer[..count]);
                    let excess = text.len().saturating_sub(MOST_MESSAGES);
                    text.drain(..excess);
                }
                text
            }
        };
        Self { text: thread::spawn(listen), heard }
    }

    /// All of it; lines of progress that were written over are left out.
    fn text(self) -> String {
        let text = self.text.join().unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last =
            |line: &str| line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default().to_owned();
        text.lines().map(last).collect::<Vec<_>>().join("\n")
    }
}

/// Notes that something came.
struct Heard<'a> {
    reader: &'a mut dyn Read,
    heard: Arc<Mutex<Instant>>,
}

impl Read for Heard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        *self.heard.lock().expect("nobody panics while holding it") = Instant::now();
        Ok(count)
    }
}
