//! A proxy on this machine that knows the way to a few names, and remembers who asked for what.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::registry_peer::base64;

/// A proxy that runs until the test's process ends.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What is the same for all connections.
struct Rules {
    /// `Basic …`, if it wants to see that.
    authorization: Option<String>,
    /// `host:port` as it is asked for, and where that really is.
    routes: BTreeMap<String, String>,
}

impl Proxy {
    /// Starts a proxy that tunnels to what `routes` names, and answers 502 to all else. With `account`, only for that
    /// user and password.
    pub fn start(account: Option<(&str, &str)>, routes: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address").to_string();
        let authorization = account
            .map(|(user, password)| format!("Basic {}", base64(format!("{user}:{password}").as_bytes())));
        let routes = routes.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        let rules = Arc::new(Rules { authorization, routes });
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (rules, seen) = (Arc::clone(&rules), Arc::clone(&seen));
                // One side may be gone; that is for the test to find out.
                thread::spawn(move || drop(serve(&stream, &rules, &seen)));
            }
        });
        Self { address, asked }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The first two words of each request: `CONNECT registry.example:443`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics while holding it").clone()
    }
}

fn serve(client: &TcpStream, rules: &Rules, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?);
    let mut first = String::new();
    lines.read_line(&mut first)?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    seen.lock().expect("nobody panics while holding it").push(format!("{method} {target}"));
    let mut authorization = None;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("proxy-authorization") {
            authorization = Some(value.trim().to_owned());
        }
    }
    let mut way = client;
    let mut answer = |text: &str| way.write_all(format!("HTTP/1.1 {text}\r\n\r\n").as_bytes());
    if rules.authorization.is_some() && authorization != rules.authorization {
        return answer("407 Who asks\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0");
    }
    let Some(to) = rules.routes.get(target).filter(|_| method == "CONNECT") else {
        return answer("502 No way\r\nContent-Length: 0");
    };
    let server = TcpStream::connect(to)?;
    answer("200 Go on")?;
    let (mut from_client, mut to_server) = (lines, server.try_clone()?);
    let up = thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut &server, &mut &*client);
    let _ = client.shutdown(Shutdown::Write);
    let _ = up.join();
    Ok(())
}
