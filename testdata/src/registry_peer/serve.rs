//! One connection: requests are read, rules looked at, and answers sent.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::answer::{self, Answer, Sending};
use super::behaviour::Behaviour;
use super::contents::Contents;
use super::exchange::{KEPT_BODY, Log};
use super::rule::{Effects, Rule};
use super::wire::{self, Body, Line, Request, Wire};
use super::{lock, protocol, uploads};

/// What all connections of a peer share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) address: String,
    pub(super) scheme: &'static str,
    pub(super) behaviour: Behaviour,
    pub(super) rules: Mutex<Vec<Rule>>,
    pub(super) contents: Arc<Mutex<Contents>>,
    pub(super) log: Log,
    pub(super) stops: AtomicBool,
}

impl Inner {
    pub(super) fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Answers the requests of a connection until one of both sides ends it.
    pub(super) fn serve(&self, socket: TcpStream, number: usize) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let wire: Box<dyn Wire> = match &self.behaviour.tls {
            Some(tls) => tls.accept(socket)?,
            None => Box::new(socket),
        };
        let mut line = BufReader::with_capacity(64 * 1024, wire);
        loop {
            let request = match wire::read_request(&mut line) {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(error) => {
                    // Somebody who speaks TLS, for example. Most servers say this to them.
                    line.get_mut().write_all(b"HTTP/1.1 400 No request\r\nConnection: close\r\n\r\n")?;
                    return Err(error);
                }
            };
            let entry = self.log.begin(number, &request);
            let goes_on = self.respond(&mut line, &request, entry);
            self.log.end(entry);
            if !goes_on? {
                break;
            }
        }
        Ok(())
    }

    /// Answers one request. Whether the connection can be used again.
    fn respond(&self, line: &mut Line, request: &Request, entry: usize) -> io::Result<bool> {
        let effects = lock(&self.rules).iter_mut().find_map(|rule| rule.meet(request)).unwrap_or_default();
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            line.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut sending = Sending {
            cut: effects.cut,
            trickle: effects.trickle,
            is_head: request.method == "HEAD",
            closes: request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        };
        let mut body = Body::of(request);
        let Some(bytes) = self.read_body(line, request, &mut body, &effects, entry)? else {
            if let Some((_, early)) = &effects.early {
                sending.closes = true;
                self.log.change(entry, |exchange| exchange.status = Some(early.status));
                answer::send(line, early, &sending, |_, _| {})?;
            } else if let Some((_, how)) = effects.cut_request {
                answer::end(line, how);
            }
            return Ok(false);
        };
        if effects.is_held {
            self.log.wait_for_release();
        }
        let mut answer = self.answer(request, &bytes, &effects);
        effects.bend(&mut answer);
        if let Some(change) = &effects.then {
            change(&mut lock(&self.contents));
        }
        if let Some(how) = effects.lost {
            answer::end(line, how);
            return Ok(false);
        }
        self.log.change(entry, |exchange| exchange.status = Some(answer.status));
        let length = answer.body.len() as u64;
        let log = |count, total| {
            self.log.change(entry, |exchange| exchange.sent += count);
            if total == length {
                // Before the last of it is sent: the next request may come at once.
                self.log.end(entry);
            }
        };
        answer::send(line, &answer, &sending, log)
    }

    /// The body of a request, or `None` if it must not be read to its end.
    fn read_body(
        &self,
        line: &mut Line,
        request: &Request,
        body: &mut Body,
        effects: &Effects,
        entry: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        let stop =
            effects.early.as_ref().map(|(after, _)| *after).or(effects.cut_request.map(|(after, _)| after));
        let mut bytes = Vec::new();
        loop {
            let left = stop.map_or(u64::MAX, |stop| stop - bytes.len() as u64);
            // A cut after the last byte of a body would be none, except of a request without one.
            if left == 0 && (!body.has_ended() || bytes.is_empty()) {
                uploads::cut(&self.behaviour, &mut lock(&self.contents), request, &bytes);
                return Ok(None);
            }
            match body.next(line, left.max(1)) {
                Ok(Some(piece)) => {
                    bytes.extend_from_slice(&piece);
                    self.log.change(entry, |exchange| {
                        exchange.received += piece.len() as u64;
                        if bytes.len() <= KEPT_BODY {
                            exchange.body.extend_from_slice(&piece);
                        }
                    });
                }
                Ok(None) => break,
                Err(error) => {
                    uploads::cut(&self.behaviour, &mut lock(&self.contents), request, &bytes);
                    return Err(error);
                }
            }
        }
        if let Some(count) = effects.take.and_then(|count| usize::try_from(count).ok()) {
            bytes.truncate(count);
        }
        Ok(Some(bytes))
    }

    fn answer(&self, request: &Request, body: &[u8], effects: &Effects) -> Answer {
        if let Some(answer) = &effects.instead {
            return answer(request);
        }
        let mut request = request.clone();
        if effects.ignores_range {
            request.headers.remove("range");
        }
        protocol::answer(&self.behaviour, &mut lock(&self.contents), &self.base(), &request, body)
    }
}
