//! Forwarding an ssh agent to a step: a socket of our own, since that of the user can be opened by nobody else, and only
//! for what a step may do: see which keys there are, and have something signed. A step can neither take keys away nor
//! lock the agent.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tug_layer_store::{Owners, ScratchDir, Store};

use crate::error::Error;
use crate::plan::Owner;

/// Requests of the agent protocol that steps may make (draft-miller-ssh-agent): list the keys, sign, extensions.
const ALLOWED: [u8; 3] = [11, 13, 27];
/// The answer to all others: `SSH_AGENT_FAILURE`.
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];
/// OpenSSH takes no longer messages.
const LONGEST: usize = 256 * 1024;
const NAME: &str = "agent";

/// A socket for one step, and the agent behind it.
pub(super) struct Forwarded {
    folder: ScratchDir,
    listener: UnixListener,
    agent: PathBuf,
    is_over: AtomicBool,
    /// What is open now, to be closed when the step is over.
    open: Mutex<HashMap<usize, [UnixStream; 2]>>,
}

/// Ends the forwarding when it is dropped.
pub(in crate::run) struct Serving<'a>(&'a Forwarded);

impl Forwarded {
    /// Makes the socket.
    pub(super) fn listen(store: &Store, agent: &Path, owner: Owner) -> Result<Self, Error> {
        let folder = store.scratch("agent")?;
        let path = folder.path().join(NAME);
        let failed = |source| Error::Io { action: "make the socket", path: path.clone(), source };
        // Names of sockets are short, so the folder is named by its descriptor.
        let opened = std::fs::File::open(folder.path()).map_err(failed)?;
        let short = format!("/proc/self/fd/{}/{NAME}", opened.as_raw_fd());
        let listener = UnixListener::bind(short).map_err(failed)?;
        if store.options().owners == Owners::Real {
            std::os::unix::fs::chown(&path, Some(owner.uid), Some(owner.gid)).map_err(failed)?;
        }
        let mode = std::fs::Permissions::from_mode(owner.mode & 0o777);
        std::fs::set_permissions(&path, mode).map_err(failed)?;
        let (agent, is_over, open) = (agent.to_owned(), AtomicBool::new(false), Mutex::default());
        Ok(Self { folder, listener, agent, is_over, open })
    }

    /// Where the socket is.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// Answers until the result is dropped.
    pub(super) fn serve<'scope, 'env>(
        &'env self,
        scope: &'scope std::thread::Scope<'scope, 'env>,
    ) -> Serving<'env> {
        scope.spawn(move || {
            let mut number = 0;
            while let Ok((client, _)) = self.listener.accept() {
                if self.is_over.load(Ordering::SeqCst) {
                    return;
                }
                number += 1;
                scope.spawn(move || self.forward(client, number));
            }
        });
        Serving(self)
    }

    /// Answers one program, which hears nothing more when anything is wrong.
    fn forward(&self, mut client: UnixStream, number: usize) {
        let Ok(mut agent) = UnixStream::connect(&self.agent) else { return };
        let (Ok(here), Ok(there)) = (client.try_clone(), agent.try_clone()) else { return };
        {
            let mut open = self.open.lock().expect("nobody panics while holding it");
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            open.insert(number, [here, there]);
        }
        // The end of a connection is no error of the build.
        let _ = relay(&mut client, &mut agent);
        self.open.lock().expect("nobody panics while holding it").remove(&number);
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let open = self.0.open.lock().expect("nobody panics while holding it");
        self.0.is_over.store(true, Ordering::SeqCst);
        for stream in open.values().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(open);
        // Wakes the thread that waits for the next program.
        let _ = rustix::net::shutdown(&self.0.listener, rustix::net::Shutdown::Both);
    }
}

fn relay(client: &mut (impl Read + Write), agent: &mut (impl Read + Write)) -> io::Result<()> {
    loop {
        let request = message(client)?;
        let is_allowed = request.get(4).is_some_and(|kind| ALLOWED.contains(kind));
        let answer = if is_allowed {
            agent.write_all(&request)?;
            message(agent)?
        } else {
            FAILURE.to_vec()
        };
        client.write_all(&answer)?;
    }
}

/// One message, with its length before it.
fn message(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let count = u32::from_be_bytes(length) as usize;
    if count == 0 || count > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = length.to_vec();
    message.resize(4 + count, 0);
    from.read_exact(&mut message[4..])?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use tug_layer_store::StoreOptions;

    use super::*;

    fn request(kind: u8) -> [u8; 5] {
        [0, 0, 0, 1, kind]
    }

    #[test]
    fn a_step_may_list_and_sign_but_not_change_the_agent() {
        let place = tempfile::tempdir().unwrap();
        let options =
            StoreOptions { owners: Owners::Recorded, in_user_namespace: false, indexed_layers: false };
        let store = Store::open(&place.path().join("store"), &options).unwrap();
        let socket = place.path().join("real");
        let real = UnixListener::bind(&socket).unwrap();
        let owner = Owner { mode: 0o600, uid: 0, gid: 0 };
        let forwarded = Forwarded::listen(&store, &socket, owner).unwrap();
        std::thread::scope(|scope| {
            // An agent that answers each request with its kind, and one hundred added.
            scope.spawn(|| {
                let (mut client, _) = real.accept().unwrap();
                while let Ok(request) = message(&mut client) {
                    client.write_all(&[0, 0, 0, 1, request[4] + 100]).unwrap();
                }
            });
            let serving = forwarded.serve(scope);
            let mut step = UnixStream::connect(forwarded.socket()).unwrap();
            for (kind, answer) in [(11, 111), (13, 113), (27, 127), (17, 5), (19, 5), (22, 5), (25, 5)] {
                step.write_all(&request(kind)).unwrap();
                assert_eq!(message(&mut step).unwrap()[4], answer, "request {kind}");
            }
            drop(serving);
            assert!(message(&mut step).is_err(), "it is closed with a program still connected");
        });
    }

    #[test]
    fn nonsense_ends_the_connection() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 0], &[0xff; 8], &[0, 0]] {
            assert!(message(&mut &*bytes).is_err(), "{bytes:?}");
        }
    }
}
