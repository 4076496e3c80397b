//! A terminal without a screen.

use std::fs::File;
use std::io::{Read, Write};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Both ends of a terminal.
pub(crate) struct Pty {
    master: File,
    slave: File,
}

impl Pty {
    /// A new one.
    pub(crate) fn new() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a terminal can be made");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let name = name.to_str().expect("its name is ASCII");
        let slave = File::options().read(true).write(true).open(name).expect("it can be opened");
        Self { master: master.into(), slave }
    }

    /// What a program reads from and writes to.
    pub(crate) fn other_end(&self) -> File {
        self.slave.try_clone().expect("a descriptor can be duplicated")
    }

    /// What was written to it, at least something.
    pub(crate) fn text(&mut self) -> String {
        let mut text = vec![0; 1 << 16];
        let length = self.master.read(&mut text).expect("a terminal can be read");
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    /// Types something.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("a terminal can be typed into");
    }

    /// What was written to it until `end` came.
    pub(crate) fn text_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            text += &self.text();
        }
        text
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("a terminal has a size");
    }
}
