//! Archives block by block, so that they can be wrong in any way.

/// A header in the making. Fields hold what stands in the archive, digits and all.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Where it is; the first 100 bytes.
    pub name: Vec<u8>,
    /// Permissions.
    pub mode: Vec<u8>,
    /// The owner.
    pub uid: Vec<u8>,
    /// The group.
    pub gid: Vec<u8>,
    /// The length that is announced; that of the content where this is empty.
    pub size: Vec<u8>,
    /// When it changed.
    pub mtime: Vec<u8>,
    /// What it is.
    pub type_flag: u8,
    /// What a link leads to.
    pub link: Vec<u8>,
    /// Which kind of tar it is.
    pub magic: Vec<u8>,
    /// The numbers of a device.
    pub device: (Vec<u8>, Vec<u8>),
    /// What stands before the name in ustar.
    pub prefix: Vec<u8>,
    /// What follows the header.
    pub content: Vec<u8>,
}

impl Raw {
    /// An empty entry of a kind: `0` a file, `1` a hard link, `2` a symbolic link, `5` a directory.
    pub fn new(type_flag: u8, name: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            mode: b"0000644\0".to_vec(),
            uid: b"0000000\0".to_vec(),
            gid: b"0000000\0".to_vec(),
            size: Vec::new(),
            mtime: b"14524740000\0".to_vec(),
            type_flag,
            link: Vec::new(),
            magic: b"ustar\x0000".to_vec(),
            device: (b"0000000\0".to_vec(), b"0000000\0".to_vec()),
            prefix: Vec::new(),
            content: Vec::new(),
        }
    }

    /// A file.
    pub fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        Self::new(b'0', name).content(content)
    }

    /// It leads to `target`.
    #[must_use]
    pub fn link(mut self, target: impl AsRef<[u8]>) -> Self {
        self.link = target.as_ref().to_vec();
        self
    }

    /// With this behind the header.
    #[must_use]
    pub fn content(mut self, content: impl AsRef<[u8]>) -> Self {
        self.content = content.as_ref().to_vec();
        self
    }

    /// The size says something else than there is.
    #[must_use]
    pub fn size(mut self, digits: impl AsRef<[u8]>) -> Self {
        self.size = digits.as_ref().to_vec();
        self
    }

    /// An extended header with these records.
    pub fn pax(records: &[(&str, &[u8])]) -> Self {
        let mut content = Vec::new();
        for (key, value) in records {
            let mut length = key.len() + value.len() + 3;
            while length != key.len() + value.len() + 3 + length.to_string().len() {
                length = key.len() + value.len() + 3 + length.to_string().len();
            }
            content.extend_from_slice(format!("{length} {key}=").as_bytes());
            content.extend_from_slice(value);
            content.push(b'\n');
        }
        Self::new(b'x', "pax").content(content)
    }

    /// A GNU header with the long name (`L`) or target (`K`) of the next one.
    pub fn gnu(type_flag: u8, name: impl AsRef<[u8]>) -> Self {
        let mut long = Self::new(type_flag, "././@LongLink").content([name.as_ref(), b"\0"].concat());
        long.magic = b"ustar  \0".to_vec();
        long
    }

    /// The blocks of the entry.
    pub fn bytes(&self) -> Vec<u8> {
        let mut block = vec![0; 512];
        let size = match self.size.is_empty() {
            true => format!("{:011o}\0", self.content.len()).into_bytes(),
            false => self.size.clone(),
        };
        let fields: [(usize, &[u8]); 11] = [
            (0, &self.name),
            (100, &self.mode),
            (108, &self.uid),
            (116, &self.gid),
            (124, &size),
            (136, &self.mtime),
            (157, &self.link),
            (257, &self.magic),
            (329, &self.device.0),
            (337, &self.device.1),
            (345, &self.prefix),
        ];
        for (at, field) in fields {
            block[at..at + field.len()].copy_from_slice(field);
        }
        block[156] = self.type_flag;
        sum(&mut block);
        block.extend_from_slice(&self.content);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }
}

/// Sets the checksum of a header.
pub fn sum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A whole archive, with its end mark.
pub fn archive(headers: &[Raw]) -> Vec<u8> {
    let mut bytes: Vec<u8> = headers.iter().flat_map(Raw::bytes).collect();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}
