//! An ssh agent for keys that were given as files: OpenSSH's own, which knows every kind of key and every format of a
//! file. It lives only as long as this process does.

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::environment::{self, Environment};
use crate::error::CommandError;

/// Adds the keys, says so with an empty line, stays until its input ends, and ends the agent: also when we were killed.
const SCRIPT: &str = r#"ssh-add -q "$@" </dev/null && echo && cat; kill "$SSH_AGENT_PID""#;

/// An agent that was started for one build.
pub(crate) struct KeyAgent {
    child: Child,
    folder: PathBuf,
}

impl KeyAgent {
    /// Starts an agent with the keys in the files `keys`. `id` is for messages.
    pub(crate) fn start(id: &str, keys: &[String], environment: &Environment) -> Result<Self, CommandError> {
        let failed = |error: io::Error| {
            CommandError::failed(format_args!("cannot start `ssh-agent` for `--ssh {id}`"))
                .because(&error)
                .hint("install the client of OpenSSH, or name the socket of an agent: `--ssh ID=SOCKET`")
        };
        let folder = new_folder(environment).map_err(failed)?;
        let mut command = Command::new("ssh-agent");
        command.arg("-a").arg(folder.join("agent")).args(["sh", "-c", SCRIPT, "ssh-add"]).args(keys);
        command.env("SSH_ASKPASS_REQUIRE", "never").env_remove("DISPLAY");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let _ = fs::remove_dir(&folder);
                return Err(failed(error));
            }
        };
        let mut agent = Self { child, folder };
        let mut ready = String::new();
        let stdout = agent.child.stdout.take().map(BufReader::new);
        let read = stdout.map_or(Ok(0), |mut stdout| stdout.read_line(&mut ready));
        if read.map_err(failed)? > 0 {
            return Ok(agent);
        }
        let mut said = String::new();
        if let Some(stderr) = &mut agent.child.stderr {
            let _ = stderr.take(4096).read_to_string(&mut said);
        }
        let said = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('@'));
        let said = said.collect::<Vec<_>>().join("; ");
        Err(CommandError::failed(format_args!("the keys of `--ssh {id}` cannot be used"))
            .because(&io::Error::other(crate::human::one_line(&said)))
            .hint("a key with a passphrase must be in an agent: add it with `ssh-add`, and give `--ssh default`"))
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("agent")
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder that nobody else may enter, with a name that is short enough for a socket.
fn new_folder(environment: &Environment) -> io::Result<PathBuf> {
    let parent = environment.path(environment::TMPDIR).unwrap_or_else(|| PathBuf::from("/tmp"));
    loop {
        let mut bytes = [0; 8];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        let path = parent.join(format!("tug-ssh-{:016x}", u64::from_le_bytes(bytes)));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| path),
        }
    }
}
