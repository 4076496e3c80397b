//! Flags of `tug serve` about who comes in and how much they may take.

use std::path::PathBuf;

use tug_registry_server::{AccessOptions, Challenge, Limits, Options, Record, Rule, TlsOptions};

use crate::arguments::values;
use crate::output::Output;

/// Who comes in, and how much they may take.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who comes in")]
pub(super) struct GuardArguments {
    /// Users and passwords, as `htpasswd -B` writes them; read again when the file changes
    #[arg(long, value_name = "FILE")]
    htpasswd: Option<PathBuf>,
    /// Let everybody pull without a password; users may everything, unless `--allow` says otherwise
    #[arg(long, requires = "htpasswd")]
    anonymous_pull: bool,
    /// Allow something: `WHO:WHAT[:PREFIX]`, as in `alice,ci:read,write:team`. WHO are users, `@users` or `@anyone`; WHAT is
    /// `read`, `write`, `delete`. The longest prefix decides. With any rule, only what rules allow
    #[arg(long, value_name = "RULE", value_parser = rule)]
    allow: Vec<Rule>,
    /// Rules, `read-only` and `immutable-tags` in TOML; read again when the file changes
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Let nobody change anything
    #[arg(long)]
    read_only: bool,
    /// Tags that stay as they are once they are there: `v*`, `base/*:*`
    #[arg(long, value_name = "PATTERN")]
    immutable_tag: Vec<String>,
    /// Ask clients for a password with each request, and not for a token
    #[arg(long)]
    basic_auth: bool,
    /// The address that clients use, where a proxy stands before the registry
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Show `/metrics` to everybody, and not only to users
    #[arg(long)]
    open_metrics: bool,
    /// The certificate, and those between it and its root, in PEM; read again when the file changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve only clients that have a certificate from one of these, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// The most that one repository may have: `20g`
    #[arg(long, value_name = "SIZE", value_parser = values::bytes)]
    repository_quota: Option<u64>,
    /// The most that all repositories may have
    #[arg(long, value_name = "SIZE", value_parser = values::bytes)]
    quota: Option<u64>,
    /// The largest blob
    #[arg(long, value_name = "SIZE", default_value = "1t", value_parser = some_bytes)]
    max_blob: u64,
    /// Connections at a time
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections, value_parser = at_least_one)]
    max_connections: usize,
    /// Connections at a time from one address
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().connections_per_address, value_parser = at_least_one)]
    max_connections_per_address: usize,
    /// Uploads at a time; more wait
    #[arg(long, value_name = "NUMBER", default_value_t = Limits::default().uploads, value_parser = at_least_one)]
    max_uploads: usize,
    /// Write a line to standard error for each request
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    access_log: Option<AccessLog>,
}

/// How requests are written down.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum AccessLog {
    /// A line for people
    Text,
    /// A JSON object
    Json,
}

impl GuardArguments {
    /// Adds them to `options`.
    pub(super) fn apply(&self, options: &mut Options) {
        let mut rules = self.allow.clone();
        if self.anonymous_pull {
            if rules.is_empty() && self.rules.is_none() {
                rules.extend(Rule::parse("@users:read,write,delete"));
            }
            rules.extend(Rule::parse("@anyone:read"));
        }
        options.access = AccessOptions {
            users: self.htpasswd.clone(),
            rules,
            rules_file: self.rules.clone(),
            read_only: self.read_only,
            immutable_tags: self.immutable_tag.clone(),
            challenge: if self.basic_auth { Challenge::Basic } else { Challenge::Token },
            public_url: self.public_url.clone(),
            open_metrics: self.open_metrics,
            ..AccessOptions::default()
        };
        options.limits = Limits {
            connections: self.max_connections,
            connections_per_address: self.max_connections_per_address,
            uploads: self.max_uploads,
            max_blob: self.max_blob,
            repository_quota: self.repository_quota,
            quota: self.quota,
            ..Limits::default()
        };
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            options.tls = Some(TlsOptions {
                certificate: certificate.clone(),
                key: key.clone(),
                client_authorities: self.tls_client_ca.clone(),
            });
        }
    }

    /// How requests are written down, if they are.
    pub(super) fn access_log(&self) -> Option<AccessLog> {
        self.access_log
    }
}

impl AccessLog {
    /// Writes a request down.
    pub(super) fn write(self, record: &Record, output: Output) {
        match self {
            Self::Text => output.note(record.line()),
            Self::Json => output.note(record.json()),
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` cannot be the limit: expected a number of at least 1")),
        Ok(number) => Ok(number),
    }
}

fn some_bytes(text: &str) -> Result<u64, String> {
    match values::bytes(text)? {
        0 => Err("a limit of nothing would take nothing: expected for example `512m`".to_owned()),
        bytes => Ok(bytes),
    }
}

fn rule(text: &str) -> Result<Rule, String> {
    Rule::parse(text).map_err(|error| error.to_string())
}
