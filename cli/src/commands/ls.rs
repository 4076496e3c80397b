//! `tug ls`: what is in an image, or in one of its layers.

use jiff::Timestamp;
use serde_json::{Value, json};
use tug_layer_store::{Entry, EntryKind, LastLink, Mountable};

use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::inside::{ImagePath, Opened, PlaceArguments, image_path};
use crate::settings::Settings;

/// Arguments of `tug ls`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Links on the way are followed as they would be in a container. With `--layer` everything is listed that this layer says,
also what it removes from those below.

Examples:
  tug ls app                             What is in the root
  tug ls -l app:/etc
  tug ls -R --format json app:/usr/lib   For programs: sizes in bytes, digests
  tug ls --layer 2 -l app                What the second layer from below says
  tug ls docker://debian:12:/etc         On a registry, without pulling it")]
pub(crate) struct LsArguments {
    /// The image, and a path in it: `IMAGE[:/PATH]`
    #[arg(value_name = "IMAGE[:/PATH]", value_parser = image_path())]
    image: ImagePath,
    /// With mode, owner, size and time
    #[arg(short, long)]
    long: bool,
    /// With what is in folders, at any depth
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Show what one layer says: 1 is the lowest
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Write `json`, `table`, or what a template says, such as `{{.Path}}`
    #[arg(long, value_name = "FORMAT", conflicts_with = "long")]
    format: Option<String>,
    #[command(flatten)]
    place: PlaceArguments,
}

const TABLE: Table = Table {
    template: "{{.Mode}}\t{{.Owner}}\t{{.Size}}\t{{.Modified}}\t{{.Name}}",
    heads: &[
        ("Mode", "MODE"),
        ("Owner", "OWNER"),
        ("Size", "SIZE"),
        ("Bytes", "BYTES"),
        ("Modified", "MODIFIED"),
        ("Name", "NAME"),
        ("Path", "PATH"),
        ("Type", "TYPE"),
        ("Target", "TARGET"),
        ("Digest", "DIGEST"),
        ("Layer", "LAYER"),
    ],
};

/// One thing in a list.
struct Listed {
    entry: Entry,
    /// What it is called in the list.
    name: Vec<u8>,
    /// The number of its layer, from 1; `None` for directories, which come from several.
    layer: Option<usize>,
}

/// Lists what is there.
pub(super) fn run(arguments: &LsArguments, settings: &Settings) -> Result<(), CommandError> {
    let opened = arguments.place.open(&arguments.image.image, settings)?;
    let path = arguments.image.path.as_deref().unwrap_or(b"/");
    let listed = match arguments.layer {
        Some(number) => in_layer(&opened, number, path)?,
        None => in_image(&opened, path, arguments.recursive)?,
    };
    if let Some(format) = &arguments.format {
        let rows: Vec<Row> = listed.iter().map(row).collect();
        format::list(Some(format), &TABLE, &rows, &settings.output)?;
    } else if arguments.long {
        let lines = long(&listed);
        settings.output.data(format::aligned(&lines).as_bytes())?;
    } else {
        let mut lines = Vec::new();
        for Listed { name, .. } in &listed {
            match settings.output.stdout.terminal {
                true => lines.extend_from_slice(human::one_line(&String::from_utf8_lossy(name)).as_bytes()),
                // For programs, as it is.
                false => lines.extend_from_slice(name),
            }
            lines.push(b'\n');
        }
        settings.output.data(&lines)?;
    }
    opened.finish()
}

fn in_image(opened: &Opened, path: &[u8], is_recursive: bool) -> Result<Vec<Listed>, CommandError> {
    let (view, top) = opened.find(path, LastLink::Keep)?;
    let layer = |node: &tug_layer_store::Node| node.layer().map(|layer| layer + 1);
    if top.entry().kind != EntryKind::Directory {
        let below = opened.image.diff_ids().len() - view.layers();
        let layer = layer(&top).map(|layer| layer + below);
        return Ok(vec![Listed { entry: top.entry().clone(), name: top.path().to_vec(), layer }]);
    }
    let mut listed = Vec::new();
    let mut open = vec![view.children(top.path()).into_iter()];
    while let Some(children) = open.last_mut() {
        let Some(node) = children.next() else {
            open.pop();
            continue;
        };
        let name = below(node.path(), top.path());
        if is_recursive && node.entry().kind == EntryKind::Directory {
            open.push(view.children(node.path()).into_iter());
        }
        listed.push(Listed { name, layer: layer(&node), entry: node.entry().clone() });
    }
    Ok(listed)
}

/// What the layer `number` says about `path` and what is in it.
fn in_layer(opened: &Opened, number: usize, path: &[u8]) -> Result<Vec<Listed>, CommandError> {
    let count = opened.image.diff_ids().len();
    let layers = opened.image.layers();
    let Some((diff_id, blob)) = number.checked_sub(1).and_then(|index| layers.into_iter().nth(index)) else {
        return Err(CommandError::failed(format_args!("`{}` has no layer {number}", opened.name))
            .hint(format!("it has {}, and 1 is the lowest", human::counted(count, "layer"))));
    };
    opened.store.ensure_layers([(diff_id, blob)], Mountable::Later)?;
    let missing = || tug_layer_store::Error::MissingLayer(diff_id.clone());
    let toc = opened.store.layer(diff_id)?.ok_or_else(missing)?.toc()?;
    let names = path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    let path = names.collect::<Vec<_>>().join(&b'/');
    let is_meant = |entry: &Entry| {
        path.is_empty() || entry.path == path || entry.path.starts_with(&[&path[..], b"/"].concat())
    };
    let entries = toc.entries().filter(is_meant);
    Ok(entries.map(|entry| Listed { name: entry.path.clone(), layer: Some(number), entry }).collect())
}

fn below(path: &[u8], top: &[u8]) -> Vec<u8> {
    let below = path.get(top.len()..).unwrap_or(path);
    below.strip_prefix(b"/").unwrap_or(below).to_vec()
}

/// As `ls -l` shows it.
fn long(listed: &[Listed]) -> Vec<String> {
    let rows: Vec<Value> = listed.iter().map(|listed| row(listed).shown).collect();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let widest = rows.iter().map(|row| text(row, "Bytes").len()).max().unwrap_or(0);
    let line = |row: &Value| {
        let arrow = match text(row, "Target").as_str() {
            "" => String::new(),
            target => format!(" -> {target}"),
        };
        let size = format!("{:>widest$}", text(row, "Bytes"));
        let [mode, owner, modified, name] = ["Mode", "Owner", "Modified", "Name"].map(|name| text(row, name));
        format!("{mode}\t{owner}\t{size}\t{modified}\t{name}{arrow}")
    };
    rows.iter().map(line).collect()
}

fn row(listed: &Listed) -> Row {
    let Listed { entry, name, layer } = listed;
    let text = |bytes: &[u8]| human::one_line(&String::from_utf8_lossy(bytes));
    let (kind, letter) = kind(&entry.kind);
    let size = match &entry.kind {
        EntryKind::File { size, .. } => Some(*size),
        _ => None,
    };
    let digest = match &entry.kind {
        EntryKind::File { digest, .. } => Some(digest.to_string()),
        _ => None,
    };
    let target = target(&entry.kind);
    let modified = Timestamp::from_second(entry.mtime.seconds).ok();
    let is_marker = matches!(entry.kind, EntryKind::Whiteout | EntryKind::Opaque);
    Row {
        data: json!({
            "path": format!("/{}", String::from_utf8_lossy(&entry.path)),
            "type": kind,
            "mode": (!is_marker).then(|| format!("{:04o}", entry.mode)),
            "uid": (!is_marker).then_some(entry.uid),
            "gid": (!is_marker).then_some(entry.gid),
            "size": size,
            "modified": modified.filter(|_| !is_marker).map(|time| time.to_string()),
            "target": target.as_ref().map(|target| String::from_utf8_lossy(target).into_owned()),
            "digest": digest,
            "layer": layer,
        }),
        shown: json!({
            "Mode": if is_marker { format!("{letter}---------") } else { mode(letter, entry.mode) },
            "Owner": if is_marker { "-".to_owned() } else { format!("{}:{}", entry.uid, entry.gid) },
            "Size": size.map_or_else(|| "-".to_owned(), human::short_size),
            "Bytes": size.map_or_else(|| "-".to_owned(), |size| size.to_string()),
            "Modified": match modified {
                Some(time) if !is_marker => time.strftime("%Y-%m-%d %H:%M").to_string(),
                _ => "-".to_owned(),
            },
            "Name": text(name),
            "Path": format!("/{}", text(&entry.path)),
            "Type": kind,
            "Target": target.map_or_else(String::new, |target| text(&target)),
            "Digest": digest.unwrap_or_default(),
            "Layer": layer.map_or(Value::Null, Value::from),
        }),
    }
}

/// The word and the letter for what is there.
fn kind(kind: &EntryKind) -> (&'static str, char) {
    match kind {
        EntryKind::Directory => ("directory", 'd'),
        EntryKind::File { .. } => ("file", '-'),
        EntryKind::Symlink { .. } => ("symlink", 'l'),
        EntryKind::HardLink { .. } => ("hardlink", 'h'),
        EntryKind::CharDevice { .. } => ("character device", 'c'),
        EntryKind::BlockDevice { .. } => ("block device", 'b'),
        EntryKind::Fifo => ("pipe", 'p'),
        EntryKind::Whiteout => ("removed", 'x'),
        EntryKind::Opaque => ("cleared", 'X'),
        _ => ("unknown", '?'),
    }
}

fn target(kind: &EntryKind) -> Option<Vec<u8>> {
    match kind {
        EntryKind::Symlink { target } | EntryKind::HardLink { target } => Some(target.clone()),
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            Some(format!("{major}:{minor}").into_bytes())
        }
        _ => None,
    }
}

/// `-rwsr-xr-x`.
fn mode(letter: char, mode: u32) -> String {
    let mut text = String::from(letter);
    for (shift, special, with, without) in
        [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => with,
            (false, true) => without,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::mode;

    #[test]
    fn modes_are_written_as_ls_does() {
        for (bits, expected) in [
            (0o644, "-rw-r--r--"),
            (0o4755, "-rwsr-xr-x"),
            (0o1777, "-rwxrwxrwt"),
            (0o7000, "---S--S--T"),
            (0o2750, "-rwxr-s---"),
        ] {
            assert_eq!(mode('-', bits), expected);
        }
    }
}
