//! What other programs make of archives.

use std::io::Write;
use std::process::{Command, Stdio};

/// What Python makes of an archive, in the same lines; `None` when it refuses it.
pub(crate) fn list_of_python(bytes: &[u8]) -> Option<Vec<String>> {
    const PROGRAM: &str = r#"
import sys, tarfile
def text(s):
    out = ""
    for b in s.encode("utf-8", "surrogateescape"):
        c = chr(b)
        if c == "\n": out += "\\n"
        elif c in "\\'\"": out += "\\" + c
        elif 32 <= b < 127: out += c
        else: out += "\\x%02x" % b
    return out
def clean(s):
    return "/".join(p for p in s.split("/") if p not in ("", "."))
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|", errorlevel=2) as tar:
    for m in tar:
        name = text(clean(m.name))
        if m.isdir(): print(name + "/")
        elif m.isreg():
            content = tar.extractfile(m).read()
            print("%s %d %s" % (name, m.size, text(content.decode("utf-8", "surrogateescape"))) if len(content) < 40 else "%s %d" % (name, m.size))
        elif m.issym(): print("%s -> %s" % (name, text(m.linkname)))
        elif m.islnk(): print("%s = %s" % (name, text(clean(m.linkname))))
        elif m.ischr(): print("%s c %d:%d" % (name, m.devmajor, m.devminor))
        elif m.isblk(): print("%s b %d:%d" % (name, m.devmajor, m.devminor))
        elif m.isfifo(): print("%s p" % name)
        else: print("%s ? %r" % (name, m.type))
"#;
    let output = feed(Command::new("python3").args(["-c", PROGRAM]).env("PYTHONUTF8", "1"), bytes);
    output.map(|text| text.lines().map(str::to_owned).collect())
}

/// The names that GNU tar lists; `None` when it refuses the archive, or says that something is odd about it.
pub(crate) fn names_of_gnu_tar(bytes: &[u8]) -> Option<Vec<String>> {
    let output = feed(Command::new("tar").args(["-t", "-f", "-", "--quoting-style=escape"]), bytes);
    let clean =
        |name: &str| name.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/");
    output.map(|text| text.lines().map(clean).collect())
}

pub(crate) fn feed(command: &mut Command, bytes: &[u8]) -> Option<String> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // A program that has seen enough closes its end.
    let writer = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let is_content = output.status.success() && output.stderr.is_empty();
    is_content.then(|| String::from_utf8(output.stdout).unwrap())
}
