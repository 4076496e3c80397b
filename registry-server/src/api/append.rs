//! How the body of a request gets onto the disk: what has come is written in one go, while more is coming.
//!
//! No thread waits for a client: however many of them are slow, the disk is there for the others.

use std::mem;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::request_body::{Cut, RequestBody};
use crate::storage::{Error, Upload};

/// How many bytes may wait for the disk, besides those that are being written.
const MOST_WAITING: usize = 512 << 10;

/// How an attempt to append a body has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// All of it is there.
    Whole,
    /// The client is gone, or a newer request goes on with the upload.
    Cut,
    /// It was longer than it said. What it said is there.
    TooLong,
}

/// Appends `body` to `upload` until its end, or until `over`. Where the request says how long it is, that is `announced`.
pub(super) async fn append(
    upload: Upload,
    body: &mut RequestBody,
    over: &CancellationToken,
    announced: Option<u64>,
) -> Result<(Upload, Appended), Error> {
    let mut upload = Some(upload);
    let mut writing: Option<JoinHandle<Result<Upload, Error>>> = None;
    let (mut pieces, mut waiting) = (Vec::new(), 0);
    let mut left = announced.unwrap_or(u64::MAX);
    let mut ended = None;
    loop {
        // It is here unless it is being written to.
        if let Some(idle) = upload.take() {
            match ended {
                Some(ended) if pieces.is_empty() => return Ok((idle, ended)),
                _ if pieces.is_empty() => upload = Some(idle),
                _ => {
                    waiting = 0;
                    let pieces = mem::take(&mut pieces);
                    writing = Some(spawn_blocking(move || write(idle, &pieces)));
                }
            }
        }
        tokio::select! {
            written = done(&mut writing), if writing.is_some() => {
                writing = None;
                upload = Some(written?);
            }
            piece = body.next(), if ended.is_none() && waiting < MOST_WAITING => match piece {
                Some(Ok(mut piece)) => {
                    if piece.len() as u64 > left {
                        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                        ended = Some(Appended::TooLong);
                    }
                    left -= piece.len() as u64;
                    waiting += piece.len();
                    pieces.push(piece);
                }
                None if announced.is_none() || left == 0 => ended = Some(Appended::Whole),
                Some(Err(Cut)) | None => ended = Some(Appended::Cut),
            },
            () = over.cancelled(), if ended.is_none() => ended = Some(Appended::Cut),
        }
    }
}

async fn done(writing: &mut Option<JoinHandle<Result<Upload, Error>>>) -> Result<Upload, Error> {
    match writing {
        Some(writing) => match writing.await {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        },
        None => std::future::pending().await,
    }
}

fn write(mut upload: Upload, pieces: &[Bytes]) -> Result<Upload, Error> {
    for piece in pieces {
        upload.write(piece)?;
    }
    Ok(upload)
}
