//! Flags of `tug serve` about other registries whose images it fetches and keeps.

use std::time::Duration;

use tug_registry_server::{ProxyOptions, Upstream};

use super::duration;
use crate::error::CommandError;
use crate::registry_settings::ConnectionArguments;
use crate::settings::Settings;

/// What is fetched from other registries.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pull-through cache")]
pub(super) struct ProxyArguments {
    /// Fetch and keep what this registry has when somebody asks for it: `HOST`, or `HOST=https://ADDRESS` (can be
    /// repeated). It is in the repositories `HOST/NAME`, and what clients that say `?ns=HOST` get
    #[arg(long, value_name = "HOST[=URL]")]
    proxy: Vec<Upstream>,
    /// Names that say no registry mean this one, as clients of docker's `registry-mirrors` ask
    #[arg(long, value_name = "HOST", requires = "proxy")]
    proxy_default: Option<String>,
    /// How long a tag is served before it is looked whether it has changed
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration::parse, requires = "proxy")]
    proxy_ttl: Duration,
    /// How they are reached.
    #[command(flatten)]
    connection: ConnectionArguments,
}

impl ProxyArguments {
    /// What the server is told; `None` without any registry.
    pub(super) fn options(&self, settings: &Settings) -> Result<Option<ProxyOptions>, CommandError> {
        if self.proxy.is_empty() {
            return Ok(None);
        }
        let environment = &settings.environment;
        let credentials = self.connection.credentials(environment);
        let client = self.connection.options(environment, credentials, &[])?;
        Ok(Some(ProxyOptions {
            default: self.proxy_default.as_ref().map(|host| host.to_ascii_lowercase()),
            fresh_for: self.proxy_ttl,
            ..ProxyOptions::new(self.proxy.clone(), client)
        }))
    }
}
