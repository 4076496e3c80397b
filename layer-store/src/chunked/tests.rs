use std::io::Cursor;

use serde_json::Value;

use super::*;
use crate::entry::{NewEntry, NewEntryKind};
use crate::tar::TarWriter;

/// A tar with files of every length that matters, links, a directory and an attribute.
fn tar() -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    tar.header(&NewEntry::directory("etc", 0o755)).unwrap();
    for (name, size) in [
        ("empty", 0),
        ("etc/small", 5),
        ("large", 2 * frames::LONGEST_PIECE + 17),
        ("whole", frames::LONGEST_PIECE),
    ] {
        let mut entry = NewEntry::file(name, 0o644, size);
        entry.xattrs.insert(b"user.key".to_vec(), vec![0, 255]);
        tar.header(&entry).unwrap();
        let content: Vec<u8> = (0..size).map(|place| ((place / 7) ^ (place >> 9)) as u8).collect();
        tar.content(&content).unwrap();
        tar.pad().unwrap();
    }
    tar.header(&NewEntry::symlink("link", "etc/small")).unwrap();
    let hard = NewEntryKind::HardLink { target: b"etc/small".to_vec() };
    tar.header(&NewEntry::new("hard".into(), hard, 0o644)).unwrap();
    tar.finish().unwrap()
}

fn chunked(tar: &[u8]) -> (Vec<u8>, Annotations) {
    write(tar, 3, Vec::new(), &|| Ok(())).unwrap()
}

fn numbers(text: &str) -> Vec<usize> {
    text.split(':').map(|number| number.parse().unwrap()).collect()
}

fn manifest(blob: &[u8], annotations: &Annotations) -> Value {
    let place = numbers(&annotations[MANIFEST_POSITION]);
    let compressed = &blob[place[0]..place[0] + place[1]];
    assert_eq!(annotations[MANIFEST_CHECKSUM], Digest::of(compressed).to_string());
    let plain = zstd::decode_all(compressed).unwrap();
    assert_eq!((plain.len(), place[3]), (place[2], 1));
    serde_json::from_slice(&plain).unwrap()
}

fn tar_split(blob: &[u8], annotations: &Annotations) -> Digest {
    let place = numbers(&annotations[TAR_SPLIT_POSITION]);
    Digest::of(&blob[place[0]..place[0] + place[1]])
}

#[test]
fn it_is_the_tar_for_whoever_decompresses_it() {
    let tar = tar();
    let (blob, _) = chunked(&tar);
    assert!(zstd::decode_all(blob.as_slice()).unwrap() == tar);
}

#[test]
fn contents_and_the_rest_make_the_tar_again() {
    for tar in [tar(), foreign()] {
        assert_eq!(check::round_trip(&tar), Ok(()));
    }
    assert_eq!(check::round_trip(b"no tar"), Ok(()));
}

#[test]
fn every_file_is_found_by_the_manifest() {
    let tar = tar();
    let (blob, annotations) = chunked(&tar);
    let manifest = manifest(&blob, &annotations);
    let entries = manifest["entries"].as_array().unwrap();
    let names: Vec<String> = entries
        .iter()
        .map(|entry| format!("{} {}", entry["type"].as_str().unwrap(), entry["name"].as_str().unwrap()))
        .collect();
    let expected = "dir etc/, reg empty, reg etc/small, reg large, chunk large, chunk large, reg whole, \
                    symlink link, hardlink hard";
    assert_eq!(names.join(", "), expected);
    let number = |entry: &Value, key: &str| entry[key].as_u64().unwrap_or(0) as usize;
    let mut content = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let is_chunk = entry["type"] == "chunk";
        let next_is_chunk = entries.get(place + 1).is_some_and(|next| next["type"] == "chunk");
        if number(entry, "offset") == 0 {
            continue;
        }
        // A frame of a chunk ends where the next one begins.
        let end = match next_is_chunk {
            true => number(&entries[place + 1], "offset"),
            false => entries[..=place]
                .iter()
                .rev()
                .map(|entry| number(entry, "endOffset"))
                .find(|end| *end > 0)
                .unwrap(),
        };
        let piece = zstd::decode_all(&blob[number(entry, "offset")..end]).unwrap();
        if is_chunk || next_is_chunk {
            assert_eq!(entry["chunkDigest"], Digest::of(&piece).to_string());
            assert_eq!(
                (number(entry, "chunkSize"), number(entry, "chunkOffset")),
                (piece.len(), content.len())
            );
        }
        content.extend(piece);
        if !next_is_chunk {
            let whole = entries[..=place].iter().rfind(|entry| entry["type"] == "reg").unwrap();
            assert_eq!(whole["digest"], Digest::of(&content).to_string());
            assert_eq!(number(whole, "size"), content.len());
            content.clear();
        }
    }
    assert_eq!(entries[2]["xattrs"]["user.key"], "AP8=");
    assert_eq!(entries[2]["modtime"], "1970-01-01T00:00:00Z");
    assert_eq!(entries[8]["linkName"], "etc/small");
}

#[test]
fn the_tar_is_made_again_of_the_files_and_the_rest() {
    let tar = tar();
    let (blob, annotations) = chunked(&tar);
    let place = numbers(&annotations[TAR_SPLIT_POSITION]);
    let compressed = &blob[place[0]..place[0] + place[1]];
    assert_eq!(manifest(&blob, &annotations)["tarSplitDigest"], Digest::of(compressed).to_string());
    let lines = zstd::decode_all(compressed).unwrap();
    assert_eq!(lines.len(), place[2]);
    let mut made: Vec<u8> = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_slice(line).unwrap();
        match line["type"].as_u64().unwrap() {
            2 => {
                use base64::prelude::{BASE64_STANDARD, Engine as _};
                made.extend(BASE64_STANDARD.decode(line["payload"].as_str().unwrap()).unwrap());
            }
            // Where the content belongs, it is in the tar too.
            _ => {
                let size = line["size"].as_u64().unwrap_or(0) as usize;
                let content = tar[made.len()..made.len() + size].to_vec();
                made.extend(content);
            }
        }
    }
    assert!(made == tar);
}

/// A tar as GNU tar writes it, with names that are no clean paths, long ones, and times of its own.
fn foreign() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let long = "l".repeat(150);
    std::fs::create_dir_all(folder.path().join("d/e")).unwrap();
    std::fs::write(folder.path().join("d/e/file"), "content").unwrap();
    std::fs::write(folder.path().join("d").join(&long), vec![7; 1300]).unwrap();
    std::os::unix::fs::symlink("./e/../e/file", folder.path().join("d/link")).unwrap();
    std::fs::hard_link(folder.path().join("d/e/file"), folder.path().join("d/zz")).unwrap();
    let mut tar = std::process::Command::new("tar");
    // So many blocks at a time that the end is longer than a piece of tar-split.
    tar.args(["--format=posix", "--sort=name", "-b1000", "-cf", "-", "./d"]).current_dir(&folder);
    tar.output().unwrap().stdout
}

/// What current readers check before they take a layer: each header in tar-split, by itself and behind the padding of the
/// file before it, says what the entry of the manifest says.
#[test]
fn the_manifest_has_the_words_of_the_headers() {
    for tar in [tar(), foreign()] {
        let (blob, annotations) = chunked(&tar);
        let manifest = manifest(&blob, &annotations);
        let mut entries =
            manifest["entries"].as_array().unwrap().iter().filter(|entry| entry["type"] != "chunk");
        let place = numbers(&annotations[TAR_SPLIT_POSITION]);
        let lines = zstd::decode_all(&blob[place[0]..place[0] + place[1]]).unwrap();
        let mut padding = 0;
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).unwrap();
            if line["type"] != 2 {
                continue;
            }
            use base64::prelude::{BASE64_STANDARD, Engine as _};
            let payload = BASE64_STANDARD.decode(line["payload"].as_str().unwrap()).unwrap();
            let payload = &payload[std::mem::take(&mut padding)..];
            assert_eq!(payload.len() % 512, 0);
            let mut reader = TarReader::new(payload, Limits::default());
            let Some(header) = reader.next_entry().unwrap() else { continue };
            if let NewEntryKind::File { size } = header.kind {
                padding = (512 - size as usize % 512) % 512;
            }
            let (raw, entry) = (reader.raw(), entries.next().unwrap());
            let mut said = vec![entry["name"].clone(), entry["linkName"].clone(), entry["mode"].clone()];
            said[1] = said[1].as_str().unwrap_or_default().into();
            let text = |bytes: &[u8]| Value::from(String::from_utf8(bytes.to_vec()).unwrap());
            assert_eq!(said, [text(&raw.name), text(&raw.link), raw.mode.into()]);
            let times = [&entry["accesstime"], &entry["changetime"]].map(|time| !time.is_null());
            assert_eq!(times, [raw.atime.is_some(), raw.ctime.is_some()]);
        }
        assert_eq!(entries.next(), None);
    }
    let (blob, annotations) = chunked(&foreign());
    let names = manifest(&blob, &annotations)["entries"].clone();
    let names: Vec<_> = names.as_array().unwrap().iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names[..3], ["./d/", "./d/e/", "./d/e/file"]);
}

/// The layout as containers/storage has it in `minimal/compression.go`, down to the order of the words.
#[test]
fn the_manifest_is_written_as_others_write_it() {
    let mut tar = TarWriter::new(Vec::new());
    tar.header(&NewEntry::directory("etc", 0o755)).unwrap();
    let mut entry = NewEntry::file("etc/motd", 0o644, 5);
    (entry.uid, entry.gid, entry.mtime.seconds) = (7, 8, 1_700_000_000);
    tar.header(&entry).unwrap();
    tar.content(b"hello").unwrap();
    tar.pad().unwrap();
    tar.header(&NewEntry::symlink("motd", "etc/motd")).unwrap();
    let (blob, annotations) = chunked(&tar.finish().unwrap());
    let place = numbers(&annotations[MANIFEST_POSITION]);
    let text = zstd::decode_all(&blob[place[0]..place[0] + place[1]]).unwrap();
    let text = String::from_utf8(text).unwrap().replace("},{", "},\n{");
    // Where frames end is zstd's.
    let (entries, split) = text.split_once("],").unwrap();
    assert_eq!(split, format!(r#""tarSplitDigest":"{}"}}"#, tar_split(&blob, &annotations)));
    insta::assert_snapshot!(entries, @r#"
    {"version":1,"entries":[{"type":"dir","name":"etc/","mode":493,"modtime":"1970-01-01T00:00:00Z"},
    {"type":"reg","name":"etc/motd","mode":420,"size":5,"uid":7,"gid":8,"modtime":"2023-11-14T22:13:20Z","digest":"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","offset":130,"endOffset":148},
    {"type":"symlink","name":"motd","linkName":"etc/motd","mode":511,"modtime":"1970-01-01T00:00:00Z"}
    "#);
    let keys: Vec<_> = annotations.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "io.github.containers.zstd-chunked.manifest-checksum",
            "io.github.containers.zstd-chunked.manifest-position",
            "io.github.containers.zstd-chunked.tarsplit-position",
        ]
    );
}

#[test]
fn the_footer_says_where_the_rest_is() {
    let (blob, annotations) = chunked(&tar());
    let footer = &blob[blob.len() - 64..];
    let number = |place: usize| u64::from_le_bytes(footer[8 * place..8 * place + 8].try_into().unwrap());
    assert_eq!(&footer[56..], MAGIC);
    let manifest = format!("{}:{}:{}:{}", number(0), number(1), number(2), number(3));
    let split = format!("{}:{}:{}", number(4), number(5), number(6));
    assert_eq!(
        (manifest, split),
        (annotations[MANIFEST_POSITION].clone(), annotations[TAR_SPLIT_POSITION].clone())
    );
    assert_eq!(blob[blob.len() - 72..blob.len() - 64], [0x50, 0x2a, 0x4d, 0x18, 64, 0, 0, 0]);
}

#[test]
fn the_output_does_not_depend_on_threads() {
    let tar = tar();
    let expected = chunked(&tar);
    for threads in [0, 1, 5] {
        let made = write_with(Pool::start(threads), Cursor::new(&tar), 3, Vec::new(), &|| Ok(())).unwrap();
        assert!(made == expected, "{threads} threads");
    }
}

#[test]
fn what_the_manifest_has_no_words_for_is_plain_zstd() {
    let mut odd = TarWriter::new(Vec::new());
    odd.header(&NewEntry::file(&b"caf\xe9"[..], 0o644, 4)).unwrap();
    odd.content(b"abcd").unwrap();
    odd.pad().unwrap();
    let odd = odd.finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let hollow = std::fs::File::create(folder.path().join("hollow")).unwrap();
    hollow.set_len(3 << 20).unwrap();
    let mut sparse = std::process::Command::new("tar");
    sparse.current_dir(&folder).args(["--sparse", "-cf", "-", "hollow"]);
    let sparse = sparse.output().unwrap().stdout;
    let mut twice = TarWriter::new(Vec::new());
    for _ in 0..2 {
        twice.header(&NewEntry::directory("same", 0o755)).unwrap();
    }
    for tar in [odd, sparse, twice.finish().unwrap()] {
        let (blob, annotations) = chunked(&tar);
        assert!(zstd::decode_all(blob.as_slice()).unwrap() == tar && annotations.is_empty());
    }
}

#[test]
fn a_damaged_tar_is_an_error() {
    let tar = tar();
    assert!(write(&tar[..1000], 3, Vec::new(), &|| Ok(())).is_err());
    assert!(matches!(write(tar.as_slice(), 3, Vec::new(), &|| Err(Error::Stopped)), Err(Error::Stopped)));
}
