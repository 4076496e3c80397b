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

#[test]
fn it_is_the_tar_for_whoever_decompresses_it() {
    let tar = tar();
    let (blob, _) = chunked(&tar);
    assert!(zstd::decode_all(blob.as_slice()).unwrap() == tar);
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
    let expected = "dir etc, reg empty, reg etc/small, reg large, chunk large, chunk large, reg whole, \
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
    for tar in [odd, sparse] {
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
