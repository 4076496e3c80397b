//! A server starts, says where it is, and ends.

mod support;

use std::net::TcpStream;

use support::Client;
use tug_registry_server::{Options, Server, StartError, StorageError};

#[test]
fn a_server_listens_when_it_has_started_and_no_more_when_it_has_stopped() {
    let root = tempfile::tempdir().unwrap();
    let running = Server::start(Options::new(root.path().join("registry"))).unwrap();
    let address = running.address();
    Client(address).push_blob("only/here", b"blob");
    assert_eq!(Client(address).get("/v2/only/here/tags/list").status, 200);
    running.stop();
    // Somebody else may have got the port by now.
    if TcpStream::connect(address).is_ok() {
        assert_eq!(Client(address).get("/v2/only/here/tags/list").status, 404);
    }
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
