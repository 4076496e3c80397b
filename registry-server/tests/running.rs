//! A server starts, says where it is, and ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use tug_registry_server::{Options, Server, StartError, StorageError};

/// What the server at `address` answers to one request without a body, head and all.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    write!(stream, "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_listens_when_it_has_started_and_no_more_when_it_has_stopped() {
    let root = tempfile::tempdir().unwrap();
    let running = Server::start(Options::new(root.path().join("registry"))).unwrap();
    let address = running.address();
    let answer = ask(address, "GET /v2/");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    running.stop();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_root_has_one_server() {
    let root = tempfile::tempdir().unwrap();
    let running = Server::start(Options::new(root.path())).unwrap();
    let second = Server::start(Options::new(root.path()));
    assert!(matches!(second, Err(StartError::Storage(StorageError::InUse(_)))), "{second:?}");
    running.stop();
    Server::start(Options::new(root.path())).expect("the first one has ended").stop();
}

#[test]
fn a_folder_with_other_things_in_it_is_no_root() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("holiday.jpg"), "sun").unwrap();
    let refused = Server::start(Options::new(root.path())).expect_err("the folder is not ours");
    assert!(refused.to_string().contains("it is not empty (there is `holiday.jpg`)"), "{refused}");
}
