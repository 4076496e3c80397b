//! Files over http(s) as streams, for commands that read an archive from wherever it is.
//!
//! What comes is handed on at once and kept nowhere. A connection that breaks is taken up where it was; where the server
//! cannot do that, the file begins anew, and so does whoever reads it: nobody has used a part of it by then.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tug_fetch::{Client, HttpUrl, Known, Remote, Sink, Stop};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::remote;
use crate::settings::Settings;

/// So many pieces are on their way to the reader.
const WAITING: usize = 16;

/// The address that a path of the command line is; `None` when it is a path.
pub(crate) fn address(path: &Path) -> Result<Option<HttpUrl>, CommandError> {
    let Some(text) = path.to_str() else { return Ok(None) };
    match Remote::parse(text, false) {
        Some(Ok(Remote::Http(url))) => Ok(Some(url)),
        Some(Ok(Remote::Git(_))) => {
            Err(CommandError::usage(format_args!("`{text}` is a repository, and a file is expected")))
        }
        Some(Err(error)) => Err(CommandError::usage(format_args!("`{text}` is no address")).because(&error)),
        None => Ok(None),
    }
}

/// Lets `work` read the file at `url` to its end. It is called again when the file begins anew.
pub(crate) fn read<T>(
    url: &HttpUrl,
    settings: &Settings,
    mut work: impl FnMut(&mut dyn Read) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let client = Client::new(remote::options(&settings.environment).http);
    let is_given_up = Arc::new(AtomicBool::new(false));
    let stop = Stop::when({
        let is_given_up = Arc::clone(&is_given_up);
        move || is_given_up.load(Ordering::SeqCst)
    });
    thread::scope(|scope| {
        let (give, pieces) = sync_channel(WAITING);
        let mut sink = Pieces { give, is_begun: false };
        let fetching = scope.spawn(move || {
            let fetched = client.get(url, &Known::default(), &mut sink, &stop);
            if fetched.is_ok() {
                let _ = sink.give.send(Piece::End);
            }
            fetched
        });
        let mut arriving = Arriving { pieces, piece: Vec::new(), done: 0, state: State::Coming };
        let outcome = loop {
            let outcome = work(&mut arriving);
            match arriving.state {
                State::Anew => arriving.state = State::Coming,
                _ => break outcome,
            }
        };
        is_given_up.store(outcome.is_err(), Ordering::SeqCst);
        let was_cut = matches!(arriving.state, State::Cut);
        drop(arriving);
        let fetched = fetching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (outcome, fetched) {
            // What the reader says is only that there was no more.
            (Err(_), Err(error)) if was_cut => {
                let exit = if error.is_network() { Exit::Network } else { Exit::Failed };
                let hint = error.hint();
                Err(CommandError::from_error(exit, &error, hint))
            }
            (outcome, _) => outcome,
        }
    })
}

enum Piece {
    Bytes(Vec<u8>),
    Anew,
    End,
}

/// Hands on what comes.
struct Pieces {
    give: SyncSender<Piece>,
    is_begun: bool,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_begun = true;
        self.give.send(Piece::Bytes(bytes.to_vec())).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Pieces {
    fn restart(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.is_begun) {
            true => self.give.send(Piece::Anew).map_err(|_| io::ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        }
    }
}

/// What comes, for the reader.
struct Arriving {
    pieces: Receiver<Piece>,
    piece: Vec<u8>,
    done: usize,
    state: State,
}

enum State {
    Coming,
    /// The next byte is the first one again.
    Anew,
    Ended,
    /// There was an error.
    Cut,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.done == self.piece.len() {
            match self.state {
                State::Coming => {}
                State::Ended => return Ok(0),
                State::Anew | State::Cut => return Err(io::ErrorKind::ConnectionReset.into()),
            }
            match self.pieces.recv() {
                Ok(Piece::Bytes(bytes)) => (self.piece, self.done) = (bytes, 0),
                Ok(Piece::Anew) => {
                    (self.piece, self.done, self.state) = (Vec::new(), 0, State::Anew);
                }
                Ok(Piece::End) => self.state = State::Ended,
                Err(_) => self.state = State::Cut,
            }
        }
        let count = buffer.len().min(self.piece.len() - self.done);
        buffer[..count].copy_from_slice(&self.piece[self.done..self.done + count]);
        self.done += count;
        Ok(count)
    }
}
