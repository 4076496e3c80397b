//! What we and the first process of a container say to each other.
//!
//! One stream socket; each message is its length (four bytes, little endian) and that much JSON, with at most one
//! file descriptor beside it. Both ends are our own program, so that a version never meets another.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::probe::trial::{Findings, TrialOrder};
use crate::{Container, Error, Status, Warning};

/// More than any message needs: the largest holds the contents of the files to be mounted.
const LARGEST: usize = 256 << 20;

/// The first and only message to the first process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Run a container.
    Contain(Box<Containment>),
    /// Find out what can be done here.
    Try(TrialOrder),
}

/// A container, and what its first process must know to make it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Containment {
    pub(crate) container: Container,
    /// Whether we are root in a user namespace only.
    pub(crate) user_namespace: bool,
    /// How many user and group ids exist.
    pub(crate) ids: (u32, u32),
    /// How many files a process of the container may have open: what held before we raised it for ourselves.
    pub(crate) open_files: Option<(Option<u64>, Option<u64>)>,
    /// Contents of `/etc/resolv.conf`, if it is to be replaced.
    pub(crate) resolv_conf: Option<String>,
    /// Whether the host's control groups are of version 2, so that the container can see its own.
    pub(crate) cgroup2: bool,
    /// The system call filter, as the kernel reads it; empty for none.
    #[serde(with = "crate::wire::one")]
    pub(crate) filter: Vec<u8>,
    /// The filter that hands calls to us; empty for none.
    #[serde(with = "crate::wire::one")]
    pub(crate) listening: Vec<u8>,
}

/// What the first process says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// It made something in the upper directory that is to be swept away at the end.
    Stub(Stub),
    Warning(Warning),
    /// Beside it: our end of the terminal.
    Terminal,
    /// Beside it: where the system calls that we answer are read from. And who the command is.
    Listener(crate::emulate::Identity),
    /// The command runs.
    Started,
    Failed(Error),
    Exited(Status),
    /// What came of trying.
    Tried(Findings),
}

/// Something empty that was made so that something could be mounted on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stub {
    /// Where, relative to the upper directory. No component of it is a link.
    #[serde(with = "crate::wire::one")]
    pub(crate) path: std::path::PathBuf,
    pub(crate) directory: bool,
    /// What makes it this very file.
    pub(crate) identity: Identity,
    /// When its parent was last changed before it was made, and by making it.
    pub(crate) parent_before: Time,
    pub(crate) parent_after: Time,
}

/// What a file can be recognised by. An inode number alone is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) inode: u64,
    pub(crate) birth: Time,
}

/// Seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

impl Identity {
    pub(crate) fn of(stat: &rustix::fs::Statx) -> Self {
        let birth = Time { seconds: stat.stx_btime.tv_sec, nanoseconds: stat.stx_btime.tv_nsec };
        Self { inode: stat.stx_ino, birth }
    }
}

impl Time {
    /// When a file was last changed.
    pub(crate) fn modified(stat: &rustix::fs::Stat) -> Self {
        Self { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 }
    }
}

/// One end of the socket.
#[derive(Debug)]
pub(crate) struct Control(OwnedFd);

impl Control {
    /// Both ends.
    pub(crate) fn pair() -> Result<(Self, Self), Errno> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Self(ours), Self(theirs)))
    }

    /// The end that was left to us.
    pub(crate) fn over(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Says something.
    pub(crate) fn send<M: Serialize>(&self, message: &M) -> Result<(), Errno> {
        self.send_with(message, None)
    }

    /// Says something and hands a descriptor over.
    pub(crate) fn send_with<M: Serialize>(
        &self,
        message: &M,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<(), Errno> {
        let body = serde_json::to_vec(message).map_err(|_| Errno::INVAL)?;
        let length = u32::try_from(body.len()).map_err(|_| Errno::MSGSIZE)?;
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(&body);

        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = descriptor.map(|descriptor| [descriptor]);
        if let Some(descriptors) = &descriptors {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let mut sent = 0;
        while sent < bytes.len() {
            match sendmsg(&self.0, &[IoSlice::new(&bytes[sent..])], &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(more) => {
                    sent += more;
                    ancillary.clear();
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Hears the next thing; `None` when the other end is gone.
    pub(crate) fn receive<M: DeserializeOwned>(&self) -> Result<Option<(M, Option<OwnedFd>)>, Errno> {
        let mut descriptor = None;
        let mut length = [0; 4];
        if !self.fill(&mut length, &mut descriptor)? {
            return Ok(None);
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > LARGEST {
            return Err(Errno::MSGSIZE);
        }
        let mut body = vec![0; length];
        if !self.fill(&mut body, &mut descriptor)? {
            return Ok(None);
        }
        let message = serde_json::from_slice(&body).map_err(|_| Errno::PROTO)?;
        Ok(Some((message, descriptor)))
    }

    /// Fills the buffer; whether there was enough.
    fn fill(&self, buffer: &mut [u8], descriptor: &mut Option<OwnedFd>) -> Result<bool, Errno> {
        let mut filled = 0;
        while filled < buffer.len() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let into = &mut [IoSliceMut::new(&mut buffer[filled..])];
            match recvmsg(&self.0, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) if received.bytes == 0 => return Ok(false),
                Ok(received) => filled += received.bytes,
                Err(Errno::INTR) => continue,
                Err(Errno::CONNRESET) => return Ok(false),
                Err(errno) => return Err(errno),
            }
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    *descriptor = descriptors.last();
                }
            }
        }
        Ok(true)
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_descriptors_arrive_in_order() {
        let (ours, theirs) = Control::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        ours.send(&Report::Started).unwrap();
        ours.send_with(&Report::Terminal, Some(file.as_fd())).unwrap();
        drop(ours);
        assert!(matches!(theirs.receive::<Report>().unwrap(), Some((Report::Started, None))));
        assert!(matches!(theirs.receive::<Report>().unwrap(), Some((Report::Terminal, Some(_)))));
        assert!(theirs.receive::<Report>().unwrap().is_none());
    }

    #[test]
    fn a_length_beyond_all_reason_is_refused() {
        let (ours, theirs) = Control::pair().unwrap();
        rustix::io::write(&ours, &u32::MAX.to_le_bytes()).unwrap();
        assert_eq!(theirs.receive::<Report>().unwrap_err(), Errno::MSGSIZE);
    }
}
