//! Programs that keep passwords: `docker-credential-NAME`.
//!
//! The protocol is docker's: the program is started with `get`, `store`, `erase` or `list`, reads the address of a server
//! (or, for `store`, a JSON object) from standard input, and answers with JSON. A program that fails says why on its
//! standard output. Whatever it does, it has a limited time and is asked once for each server.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::CredentialKind;
use crate::config_error::Origin;
use crate::secret::Secret;

/// The most that a program may answer.
const LIMIT: u64 = 1 << 20;

/// What programs of this protocol say when they have nothing for a server.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// How helpers are found and run.
#[derive(Clone)]
pub struct HelperOptions {
    /// Where they are looked for: the value of `PATH`.
    pub path: OsString,
    /// Their environment. They need their user's: agents, session buses, settings of clouds.
    pub environment: Vec<(OsString, OsString)>,
    /// How long one may take. It may have to ask for a passphrase.
    pub time_limit: Duration,
}

impl fmt::Debug for HelperOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Environments are full of tokens.
        out.debug_struct("HelperOptions")
            .field("path", &self.path)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

impl Default for HelperOptions {
    fn default() -> Self {
        Self { path: OsString::new(), environment: Vec::new(), time_limit: Duration::from_secs(60) }
    }
}

/// Why a helper did not give a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`docker-credential-{name}`, which {origin} names for `{server}`, {problem}")]
pub struct HelperError {
    /// The name, without `docker-credential-`.
    pub name: String,
    /// Where it is configured.
    pub origin: Origin,
    /// The server it was asked about.
    pub server: String,
    /// What it did.
    pub problem: HelperProblem,
}

/// What a helper did instead of answering.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelperProblem {
    /// There is no such program.
    #[error("is not installed")]
    Missing,
    /// The name could lead to another folder.
    #[error("is not the name of a program")]
    Name,
    /// It cannot be started.
    #[error("cannot be started: {0}")]
    Start(String),
    /// It took too long, and was stopped.
    #[error("gave no answer within {} s", .0.as_secs_f32())]
    Late(Duration),
    /// It answered, but not in the way of the protocol. The answer is not shown: it may have a password in it.
    #[error("answered something else than an entry: {0}")]
    Junk(&'static str),
    /// It failed, and said this.
    #[error("failed: {0}")]
    Failed(String),
}

impl HelperError {
    /// What the user can do.
    pub fn hint(&self) -> String {
        let Self { name, origin, server, problem } = self;
        match problem {
            HelperProblem::Missing => {
                format!("install `docker-credential-{name}`, or remove its name from {origin}")
            }
            HelperProblem::Name => format!("correct it in {origin}"),
            _ => format!("try it yourself: `echo {server} | docker-credential-{name} get`"),
        }
    }
}

/// A helper, and who told of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Helper {
    pub(crate) name: String,
    pub(crate) origin: Origin,
}

type Answer = Result<Option<CredentialKind>, HelperError>;
type Asked = HashMap<(String, String), Arc<Mutex<Option<Answer>>>>;

/// The helpers of one run.
#[derive(Debug)]
pub(crate) struct Helpers {
    options: HelperOptions,
    asked: Mutex<Asked>,
}

impl Helpers {
    /// Nobody is asked yet.
    pub(crate) fn new(options: HelperOptions) -> Self {
        Self { options, asked: Mutex::default() }
    }

    /// What `helper` has for `server`. It is asked once; who comes meanwhile waits for its answer.
    pub(crate) fn get(&self, helper: &Helper, server: &str) -> Answer {
        let key = (helper.name.clone(), server.to_owned());
        let place =
            Arc::clone(self.asked.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let mut known = place.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_with(|| self.ask(helper, server)).clone()
    }

    /// Lets it keep a password.
    pub(crate) fn store(
        &self,
        helper: &Helper,
        server: &str,
        user: &str,
        secret: &Secret,
    ) -> Result<(), HelperError> {
        self.forget();
        let entry = serde_json::json!({ "ServerURL": server, "Username": user, "Secret": secret.reveal() });
        match self.run(helper, server, "store", entry.to_string().as_bytes())? {
            Ended::Well(_) => Ok(()),
            Ended::Badly(said) => Err(error(helper, server, HelperProblem::Failed(said))),
        }
    }

    /// Lets it forget a password. Whether it had one is the result.
    pub(crate) fn erase(&self, helper: &Helper, server: &str) -> Result<bool, HelperError> {
        let had_one = matches!(self.get(helper, server), Ok(Some(_)));
        self.forget();
        match self.run(helper, server, "erase", server.as_bytes())? {
            Ended::Well(_) => Ok(had_one),
            Ended::Badly(_) if !had_one => Ok(false),
            Ended::Badly(said) => Err(error(helper, server, HelperProblem::Failed(said))),
        }
    }

    /// The servers that it has passwords for.
    pub(crate) fn list(&self, helper: &Helper) -> Result<Vec<String>, HelperError> {
        let everything = "all servers";
        let answer = match self.run(helper, everything, "list", b"")? {
            Ended::Well(answer) => answer,
            Ended::Badly(said) => return Err(error(helper, everything, HelperProblem::Failed(said))),
        };
        match serde_json::from_slice(&answer) {
            Ok(Value::Object(servers)) => Ok(servers.into_iter().map(|(server, _)| server).collect()),
            _ => Err(error(helper, everything, HelperProblem::Junk("its answer is not a JSON object"))),
        }
    }

    fn forget(&self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn ask(&self, helper: &Helper, server: &str) -> Answer {
        match self.run(helper, server, "get", server.as_bytes())? {
            Ended::Well(answer) => {
                entry(&answer).map_err(|problem| error(helper, server, HelperProblem::Junk(problem)))
            }
            Ended::Badly(said) if said.contains(NOT_FOUND) => Ok(None),
            Ended::Badly(said) => Err(error(helper, server, HelperProblem::Failed(said))),
        }
    }

    fn run(&self, helper: &Helper, server: &str, action: &str, input: &[u8]) -> Result<Ended, HelperError> {
        let fail = |problem| error(helper, server, problem);
        let program = self.find(&helper.name).map_err(fail)?;
        let mut child = Command::new(program)
            .arg(action)
            .env_clear()
            .envs(self.options.environment.iter().map(|(name, value)| (name, value)))
            .env("PATH", &self.options.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|problem| fail(HelperProblem::Start(problem.to_string())))?;
        let ended = converse(&mut child, input.to_vec(), self.options.time_limit);
        if ended.is_none() {
            // It may be gone by now, and then there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
        }
        ended.ok_or_else(|| fail(HelperProblem::Late(self.options.time_limit)))
    }

    fn find(&self, name: &str) -> Result<PathBuf, HelperProblem> {
        if name.is_empty() || name.contains(['/', '\0']) {
            return Err(HelperProblem::Name);
        }
        let file = format!("docker-credential-{name}");
        let runs = |path: &PathBuf| {
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let folders = std::env::split_paths(&self.options.path).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(&file)).find(runs).ok_or(HelperProblem::Missing)
    }
}

/// How a helper ended.
enum Ended {
    /// With this on its standard output.
    Well(Vec<u8>),
    /// With another exit code, and these words.
    Badly(String),
}

/// Gives it its input and takes its outputs. `None` when time is over.
fn converse(child: &mut Child, input: Vec<u8>, time_limit: Duration) -> Option<Ended> {
    let end = Instant::now() + time_limit;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input is free to do so.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
    }
    // A grandchild may keep the pipes open for ever: nobody waits for these threads.
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = loop {
        if let Ok(Some(status)) = child.try_wait() {
            break status;
        }
        let left = end.checked_duration_since(Instant::now())?;
        std::thread::sleep(left.min(Duration::from_millis(2)));
    };
    let left = || end.saturating_duration_since(Instant::now());
    let answer = stdout.recv_timeout(left()).ok()?;
    if status.success() {
        return Some(Ended::Well(answer));
    }
    let errors = stderr.recv_timeout(left().min(Duration::from_secs(1))).unwrap_or_default();
    let said = [answer, errors].iter().map(|text| words(text)).find(|text| !text.is_empty());
    Some(Ended::Badly(said.unwrap_or_else(|| format!("{status}"))))
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What came before a mistake is enough for a message, and too little for an entry.
            let _ = pipe.take(LIMIT).read_to_end(&mut bytes);
        }
        // The other end may have stopped to listen.
        let _ = sender.send(bytes);
    });
    receiver
}

/// What a helper said of its failure, cut to what fits into a message. An entry, given by mistake, is not shown.
fn words(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text.trim().lines().next().unwrap_or_default();
    if line.contains('{') {
        return String::new();
    }
    line.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// The answer to `get`.
fn entry(answer: &[u8]) -> Result<Option<CredentialKind>, &'static str> {
    let value: Value = serde_json::from_slice(answer).map_err(|_| "its answer is not JSON")?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let (Some(user), Some(secret)) = (text("Username"), text("Secret")) else {
        return Err("`Username` and `Secret` are not both there");
    };
    // Some answer with nothing instead of saying that they have nothing.
    Ok((!secret.is_empty()).then(|| CredentialKind::of_pair(user, secret)))
}

fn error(helper: &Helper, server: &str, problem: HelperProblem) -> HelperError {
    HelperError {
        name: helper.name.clone(),
        origin: helper.origin.clone(),
        server: server.to_owned(),
        problem,
    }
}
