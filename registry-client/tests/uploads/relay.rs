//! A way to a server that breaks.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes bytes on between clients and a server.
pub(crate) struct Relay {
    address: String,
    sent: Arc<AtomicU64>,
}

impl Relay {
    /// Ends one connection for each of `cuts`, in their order, when so many bytes went over it to the server.
    pub(crate) fn start(server: &str, cuts: &[u64]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (server, cuts) = (server.to_owned(), Arc::new(Mutex::new(cuts.to_vec())));
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { return };
                let (from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut &from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let (cuts, counter) = (Arc::clone(&cuts), Arc::clone(&counter));
                thread::spawn(move || pass(&client, &server, &cuts, &counter));
            }
        });
        Self { address, sent }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How many bytes came for the server.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

fn pass(mut client: &TcpStream, mut server: &TcpStream, cuts: &Mutex<Vec<u64>>, counter: &AtomicU64) {
    let (mut buffer, mut total) = ([0; 16 * 1024], 0);
    while let Ok(count) = client.read(&mut buffer) {
        if count == 0 || server.write_all(&buffer[..count]).is_err() {
            break;
        }
        total += count as u64;
        counter.fetch_add(count as u64, Ordering::Relaxed);
        let mut cuts = cuts.lock().unwrap();
        if cuts.first().is_some_and(|cut| total >= *cut) {
            cuts.remove(0);
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
