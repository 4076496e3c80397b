//! Where the processes work: a store, a registry on loopback, and what there is to build and to load.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tug_testdata::bases;

/// How many folders there are to build.
pub(crate) const CONTEXTS: u64 = 4;

/// Who works at the same time; each has names of its own.
pub(crate) const WORKERS: usize = 4;

/// A home with everything in it.
pub(crate) struct Yard {
    home: TempDir,
    store: PathBuf,
    /// Whether builds have steps that run commands.
    pub(crate) runs: bool,
    /// Whether there is a command that prunes.
    pub(crate) prunes: bool,
    port: u16,
    registry: Option<Child>,
}

impl Yard {
    /// With archives for each worker, and a base image if builds are to run commands.
    pub(crate) fn new(runs: bool) -> Self {
        let home = tempfile::Builder::new().prefix("tug-lost-").tempdir().unwrap();
        let store = home.path().join("store");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut yard = Self { home, store, runs, prunes: false, port, registry: None };
        yard.prunes = yard.run(&["system", "prune", "--help"]).status.success();
        yard.make_contexts();
        yard.make_archives();
        if runs {
            fs::copy(bases::busybox(), yard.path("base.tar")).unwrap();
            yard.import_base();
        }
        yard
    }

    /// With its store elsewhere: on a file system that is about to fail.
    pub(crate) fn move_store(&mut self, store: PathBuf) {
        self.store = store;
        if self.runs {
            self.import_base();
        }
    }

    fn import_base(&self) {
        self.must(&["import", "-c", "ENV PATH=/bin", "base.tar", "base"]);
    }

    /// A path in its home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn registry_name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts the registry, over the same folder each time.
    pub(crate) fn start_registry(&mut self) {
        let address = self.registry_name();
        let mut command = self.command(&["serve", "--addr", &address, "--root", "registry"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), address, "the registry did not start");
        self.registry = Some(process);
    }

    /// Ends the registry as a power cut would.
    pub(crate) fn kill_registry(&mut self) {
        if let Some(mut process) = self.registry.take() {
            kill_process(Pid::from_child(&process), Signal::KILL).unwrap();
            process.wait().unwrap();
        }
    }

    /// tug with these words, nothing to read, and no variable but those it needs.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.wrapped(&[], words)
    }

    /// The same, started by another program.
    pub(crate) fn wrapped(&self, wrapper: &[&str], words: &[&str]) -> Command {
        let program = std::env::var("TUG_LOST_PROGRAM");
        let program = program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_tug"));
        let all: Vec<&str> = [wrapper, &[program], words].concat();
        let mut command = Command::new(all[0]);
        command.args(&all[1..]).env_clear().current_dir(self.home.path()).stdin(Stdio::null());
        command.env("HOME", self.home.path()).env("TUG_STORE", &self.store);
        command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command
    }

    /// What comes out of tug with these words.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// The same, once all processes that it has started have ended, too: some clean up, and nobody waits for them.
    pub(crate) fn run_to_the_end(&self, words: &[&str]) -> Output {
        let strace = ["strace", "-f", "-qq", "-e", "trace=none", "-e", "signal=none", "-o", "/dev/null"];
        self.wrapped(&strace, words).output().unwrap()
    }

    /// The standard output of tug with these words, which must succeed.
    pub(crate) fn must(&self, words: &[&str]) -> String {
        Self::successful(words, self.run(words))
    }

    /// What `output` of these words says, which must be that of a success.
    pub(crate) fn successful(words: &[&str], output: Output) -> String {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tug {}: {}\n{told}", words.join(" "), output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// A copy of a folder, for somebody to look at after this has gone.
    pub(crate) fn keep(&self, folder: &Path) -> String {
        let kept = std::env::temp_dir().join(format!("tug-lost-kept-{}", std::process::id()));
        let copied = Command::new("cp").arg("-a").arg(folder).arg(&kept).status();
        format!("{} ({copied:?})", kept.display())
    }

    /// Folders that share some of their content.
    fn make_contexts(&self) {
        for number in 0..CONTEXTS {
            let folder = self.path(&format!("context-{number}"));
            fs::create_dir_all(folder.join("shared/deep/down")).unwrap();
            fs::create_dir_all(folder.join("own")).unwrap();
            for file in 0..20 {
                let content = format!("file {file}\n").repeat(200);
                fs::write(folder.join(format!("shared/deep/{file}")), content).unwrap();
            }
            fs::write(folder.join("own/large"), random_bytes(number, 300_000)).unwrap();
            let (base, run) = match self.runs {
                true => ("base", "RUN echo $ROUND > /round; rm -rf /shared/deep/down; mkdir /made\n"),
                false => ("scratch", ""),
            };
            let dockerfile = format!(
                "FROM {base} AS first\nARG ROUND\nCOPY shared /shared\nLABEL round=$ROUND\n{run}\
                 FROM first\nCOPY own /own\nCOPY --from=first /shared/deep/3 /three\nWORKDIR /work\n"
            );
            fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
        }
    }

    /// For each worker an archive of two images, and a root file system.
    fn make_archives(&self) {
        for worker in 0..WORKERS {
            let store = self.path("elsewhere").to_string_lossy().into_owned();
            let names = [format!("w{worker}/loaded:1"), format!("w{worker}/loaded:2")];
            for (number, name) in names.iter().enumerate() {
                let folder = self.path(&format!("load-{number}"));
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("file"), random_bytes(90 + number as u64, 200_000)).unwrap();
                let dockerfile = format!("FROM scratch\nCOPY file /file\nLABEL worker={worker}\n");
                fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
                self.must(&["build", "-q", "--store", &store, "-t", name, &folder.to_string_lossy()]);
            }
            let format = *["docker-archive", "oci-archive"].get(worker % 2).unwrap();
            let compress = *["none", "none", "gzip", "zstd"].get(worker).unwrap();
            let file = format!("load-{worker}.tar");
            let save = ["save", "--store", &store, "--format", format, "--compress", compress, "-o", &file];
            self.must(&[&save[..], &[&names[0], &names[1]]].concat());
        }
        let root = self.path("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        fs::write(root.join("blob"), random_bytes(77, 150_000)).unwrap();
        let archive = File::create(self.path("root.tar")).unwrap();
        let status = Command::new("tar").arg("-C").arg(&root).args(["-c", "."]).stdout(archive).status();
        assert!(status.unwrap().success());
        fs::remove_dir_all(self.path("elsewhere")).unwrap();
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.kill_registry();
    }
}

/// Bytes that nothing compresses well.
pub(crate) fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[1]
    };
    (0..length).map(|_| next()).collect()
}
