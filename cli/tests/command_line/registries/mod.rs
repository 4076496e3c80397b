//! Registries that refuse, fail and lie, as a user sees them: exit code, what is said, what is kept, and no secret.

mod failures;
mod secrets;

use tug_layer_store::NewEntry;
use tug_layer_store::tar::TarWriter;
use tug_testdata::registry_peer::{Access, Bearer, Behaviour, Image, Peer, noise};

use crate::tug::Tug;

/// What must never be seen.
const PASSWORD: &str = "c0rrect-h0rse";

/// A plain layer of one file.
fn layer(length: usize, seed: u64) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    tar.header(&NewEntry::file("file", 0o644, length as u64)).expect("a header is written");
    tar.content(&noise(length, seed)).expect("content is written");
    tar.pad().expect("padding is written");
    tar.finish().expect("the end is written")
}

/// A registry with `app:1`.
fn peer(behaviour: Behaviour) -> (Peer, Image, String) {
    let peer = Peer::start(behaviour);
    let image = peer.add_image("app", "1", &[layer(300_000, 1)]);
    let name = format!("{}/app:1", peer.address());
    (peer, image, name)
}

/// One that gives tokens to `me` only.
fn private() -> Behaviour {
    let accounts = vec![("me".to_owned(), PASSWORD.to_owned())];
    let bearer = Bearer { accounts, allows_anonymous_pull: false, ..Bearer::default() };
    Behaviour { access: Access::Bearer(bearer), ..Behaviour::default() }
}

/// What tug shows, after it was held against the exit code and the words that must be in it.
fn ends(tug: &Tug, words: &[&str], code: i32, parts: &[&str]) -> String {
    let shown = tug.run(words);
    assert!(
        shown.starts_with(&format!("exit code {code}\n")) || shown == format!("exit code {code}"),
        "{shown}"
    );
    for part in parts {
        assert!(shown.contains(part), "no `{part}` in: {shown}");
    }
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert!(!shown.contains("panicked") && !shown.contains("Err("), "{shown}");
    shown
}

/// Nothing of what failed has a name or counts as there.
fn keeps_nothing(tug: &Tug, image: &Image) {
    assert_eq!(tug.data(&["images", "-q"]), "");
    for (digest, _) in &image.layers {
        let blob = tug.path("store/blobs").join(digest.replace(':', "/"));
        assert!(!blob.exists(), "{}", blob.display());
    }
}
