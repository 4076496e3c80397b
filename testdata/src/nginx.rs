//! nginx before a registry: it encrypts, and has limits of its own.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::registry_peer::Certificate;

/// An nginx that stands before a registry until it is dropped: it encrypts, and has its own limits.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts one before the registry at `upstream` (`host:port`, plain). `largest_body` is in nginx's notation: `1m`;
    /// `0` is no limit. When it `buffers`, the registry sees nothing of a body before all of it has come.
    pub fn start(upstream: &str, certificate: &Certificate, largest_body: &str, buffers: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let base = folder.path().display();
        let (certificate, key) = certificate.write_into(folder.path());
        // The socket is made here and handed over, so that nobody else can have taken the port.
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address").to_string();
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folders: String =
            kinds.iter().map(|kind| format!("  {kind}_temp_path {base}/{kind};\n")).collect();
        let text = format!(
            "daemon off;\nuser root;\nworker_processes 1;\npid {base}/pid;\nerror_log {base}/errors;\nevents {{}}\n\
             http {{\n{folders}  access_log off;\n  client_max_body_size {largest_body};\n  server {{\n    \
             listen {address} ssl;\n    ssl_certificate {};\n    ssl_certificate_key {};\n    location / {{\n      \
             proxy_pass http://{upstream};\n      proxy_http_version 1.1;\n      proxy_set_header Host $http_host;\n      \
             proxy_set_header X-Forwarded-Proto https;\n      proxy_request_buffering {};\n    }}\n  }}\n}}\n",
            certificate.display(),
            key.display(),
            if buffers { "on" } else { "off" },
        );
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, text).expect("a file can be written");
        let mut nginx = Command::new("nginx");
        nginx.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("NGINX", "0;").stdin(OwnedFd::from(listener));
        nginx.arg("-c").arg(&configuration).stdout(Stdio::null()).stderr(Stdio::null());
        let process = nginx.spawn().expect("nginx is there");
        Self { process, address, _folder: folder }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed, it would leave its workers behind.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}
