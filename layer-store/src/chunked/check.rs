//! Holds what was written, read back, against the tar that it was made of.

use serde_json::Value;
use tug_oci::Digest;

use super::{Annotations, MANIFEST_CHECKSUM, MANIFEST_POSITION, TAR_SPLIT_POSITION, write_with};

/// Writes a tar and reads it back: it must be the same tar, every file must be where the manifest says, and the tar must
/// come out of the contents and tar-split. What is no tar is fine too.
pub(crate) fn round_trip(tar: &[u8]) -> Result<(), String> {
    let Ok((blob, annotations)) = write_with(None, tar, 3, Vec::new(), &|| Ok(())) else { return Ok(()) };
    if plain(&blob)? != tar {
        return Err("it is another tar".to_owned());
    }
    match annotations.is_empty() {
        true => Ok(()),
        false => same(tar, &blob, &annotations),
    }
}

fn same(tar: &[u8], blob: &[u8], annotations: &Annotations) -> Result<(), String> {
    let (manifest, compressed) = part(blob, &annotations[MANIFEST_POSITION])?;
    if annotations[MANIFEST_CHECKSUM] != Digest::of(compressed).to_string() {
        return Err("the manifest has another digest".to_owned());
    }
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
    let (split, compressed) = part(blob, &annotations[TAR_SPLIT_POSITION])?;
    if manifest["tarSplitDigest"] != Digest::of(compressed).to_string() {
        return Err("tar-split has another digest".to_owned());
    }
    let contents = contents(blob, manifest["entries"].as_array().ok_or("there are no entries")?)?;
    if joined(&split, contents)? != tar {
        return Err("contents and tar-split make another tar".to_owned());
    }
    Ok(())
}

/// The content of each regular file, in the order of the manifest.
fn contents(blob: &[u8], entries: &[Value]) -> Result<Vec<Vec<u8>>, String> {
    let number = |entry: &Value, key: &str| usize::try_from(entry[key].as_u64().unwrap_or(0)).unwrap_or(0);
    let mut contents: Vec<Vec<u8>> = Vec::new();
    let mut rest = entries;
    while let Some((entry, behind)) = rest.split_first() {
        let chunks = behind.iter().take_while(|next| next["type"] == "chunk").count();
        rest = &behind[chunks..];
        if entry["type"] != "reg" {
            continue;
        }
        let pieces: Vec<&Value> = std::iter::once(entry).chain(&behind[..chunks]).collect();
        let ends = pieces[1..].iter().map(|next| number(next, "offset"));
        let ends: Vec<usize> = ends.chain([number(entry, "endOffset")]).collect();
        let mut content = Vec::new();
        for (piece, end) in pieces.iter().zip(ends).filter(|(piece, _)| number(piece, "offset") > 0) {
            let frame = blob.get(number(piece, "offset")..end).ok_or("a frame is outside of the blob")?;
            let bytes = plain(frame)?;
            if chunks > 0 && piece["chunkDigest"] != Digest::of(&bytes).to_string() {
                return Err(format!("a piece of {} has another digest", entry["name"]));
            }
            content.extend(bytes);
        }
        let is_right = content.is_empty()
            || *entry["digest"].as_str().unwrap_or_default() == *Digest::of(&content).to_string();
        if !is_right || number(entry, "size") != content.len() {
            return Err(format!("the content of {} is another", entry["name"]));
        }
        contents.push(content);
    }
    Ok(contents)
}

/// The tar that tar-split and the contents of all regular files make.
fn joined(split: &[u8], contents: Vec<Vec<u8>>) -> Result<Vec<u8>, String> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let mut tar: Vec<u8> = Vec::new();
    let mut contents = contents.into_iter().filter(|content| !content.is_empty());
    for line in split.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        match line["type"].as_u64() {
            Some(2) => {
                let payload = line["payload"].as_str().unwrap_or_default();
                tar.extend(BASE64_STANDARD.decode(payload).map_err(|error| error.to_string())?);
            }
            _ if line["size"].as_u64().unwrap_or(0) == 0 => {}
            _ => tar.extend(contents.next().ok_or("a content is missing")?),
        }
    }
    Ok(tar)
}

/// What `START:LENGTH:PLAIN LENGTH` leads to: plain, and as it lies there.
fn part<'a>(blob: &'a [u8], place: &str) -> Result<(Vec<u8>, &'a [u8]), String> {
    let numbers: Vec<usize> = place.split(':').filter_map(|number| number.parse().ok()).collect();
    let [start, length, plain_length, ..] = numbers[..] else { return Err(format!("`{place}` is no place")) };
    let compressed =
        blob.get(start..start + length).ok_or_else(|| format!("`{place}` is outside of the blob"))?;
    let plain = plain(compressed)?;
    match plain.len() == plain_length {
        true => Ok((plain, compressed)),
        false => Err(format!("at `{place}` are {} bytes", plain.len())),
    }
}

fn plain(bytes: &[u8]) -> Result<Vec<u8>, String> {
    zstd::decode_all(bytes).map_err(|error| error.to_string())
}
