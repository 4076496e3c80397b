//! How registries are reached: flags and the environment, put into the options of the library.
//!
//! | module      | what it decides                                     |
//! | ----------- | --------------------------------------------------- |
//! | `arguments` | the flags, the same in every command                |
//! | `names`     | what a name without a registry means                |
//! | `places`    | which files count, from the variables and the user  |

mod arguments;
mod names;
mod places;

use std::sync::Arc;

use tug_registry_client::credentials::{CredentialOptions, Credentials, GivenCredential, NamedFile};
use tug_registry_client::hosts::{HostOptions, Hosts, HubMirror};
use tug_registry_client::proxies::{Proxies, ProxyOptions};
use tug_registry_client::tls::Tls;
use tug_registry_client::{Options, Origin, Secret};

pub(crate) use arguments::{ConnectionArguments, RegistryArguments, secret};
pub(crate) use names::TypedName;

use crate::environment::Environment;
use crate::error::CommandError;

/// A user and a password of the command line.
pub(crate) struct Given<'a> {
    /// The flag.
    pub(crate) flag: &'static str,
    /// Both, with a colon between.
    pub(crate) creds: &'a Secret,
    /// The registry that they are for; without it every one that is named.
    pub(crate) registry: Option<&'a str>,
}

impl RegistryArguments {
    /// The options of a client. What `--creds` gives is for `registry`, or for every registry that is named.
    pub(crate) fn options(
        &self,
        environment: &Environment,
        registry: Option<&str>,
    ) -> Result<Options, CommandError> {
        let given = self.creds.iter().map(|creds| Given { flag: "--creds", creds, registry });
        self.options_with(environment, &given.collect::<Vec<_>>())
    }

    /// The options of a client that shows these to registries.
    pub(crate) fn options_with(
        &self,
        environment: &Environment,
        given: &[Given<'_>],
    ) -> Result<Options, CommandError> {
        let credentials = self.credentials(environment, given)?;
        self.connection.options(environment, credentials, &self.registry_mirrors)
    }

    fn credentials(
        &self,
        environment: &Environment,
        given: &[Given<'_>],
    ) -> Result<CredentialOptions, CommandError> {
        let mut options = match self.no_creds {
            true => CredentialOptions::default(),
            false => self.connection.credentials(environment),
        };
        for Given { flag, creds, registry } in given {
            let (user, password) = creds.reveal().split_once(':').ok_or_else(|| {
                CommandError::usage(format_args!("`{flag}` has no password")).hint(format!(
                    "write `{flag} USER:PASSWORD`, or log in with `tug login`, which asks for it"
                ))
            })?;
            options.given.push(GivenCredential {
                registry: registry.map(str::to_owned),
                user: user.to_owned(),
                password: Secret::new(password),
                flag: (*flag).to_owned(),
            });
        }
        Ok(options)
    }
}

impl ConnectionArguments {
    /// The options of a client with these credentials.
    pub(crate) fn options(
        &self,
        environment: &Environment,
        credentials: CredentialOptions,
        hub_mirrors: &[String],
    ) -> Result<Options, CommandError> {
        Ok(Options {
            credentials: Arc::new(Credentials::new(credentials)),
            hosts: Arc::new(Hosts::new(self.hosts(environment, hub_mirrors))),
            tls: Arc::new(Tls::new(places::tls(environment))),
            proxies: Arc::new(Proxies::new(&proxies(environment))?),
            ..Options::default()
        })
    }

    /// Where credentials are.
    pub(crate) fn credentials(&self, environment: &Environment) -> CredentialOptions {
        let usual = places::credentials(environment);
        match &self.authfile {
            // What the user names here counts before any variable.
            Some(path) => CredentialOptions {
                inline: None,
                only: Some(NamedFile { path: path.clone(), named_by: "--authfile".to_owned() }),
                ..usual
            },
            None => usual,
        }
    }

    /// Which servers serve a registry.
    pub(crate) fn hosts(&self, environment: &Environment, hub_mirrors: &[String]) -> HostOptions {
        let mirror = |address: &String| HubMirror {
            address: address.clone(),
            origin: Origin::Flag("--registry-mirror".to_owned()),
        };
        HostOptions {
            registries: places::registries(environment),
            certs_folders: places::certs_folders(environment),
            cert_folder: self.cert_dir.clone(),
            hub_mirrors: hub_mirrors.iter().map(mirror).collect(),
            tls_verify: if self.insecure { Some(false) } else { self.tls_verify },
        }
    }
}

fn proxies(environment: &Environment) -> ProxyOptions {
    let proxies = crate::remote::proxies(environment);
    ProxyOptions { http: proxies.http, https: proxies.https, all: proxies.all, none: proxies.none }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        registry: RegistryArguments,
    }

    fn parse(words: &[&str]) -> RegistryArguments {
        Words::try_parse_from(["x"].iter().chain(words)).unwrap().registry
    }

    fn none() -> Environment {
        Environment::default()
    }

    #[test]
    fn certificates_are_checked_unless_it_is_said_in_one_of_the_usual_ways() {
        for (words, expected) in [
            (&[][..], None),
            (&["--tls-verify"], Some(true)),
            (&["--tls-verify=true"], Some(true)),
            (&["--tls-verify=false"], Some(false)),
            (&["--insecure"], Some(false)),
            (&["--plain-http"], Some(false)),
        ] {
            assert_eq!(parse(words).connection.hosts(&none(), &[]).tls_verify, expected, "{words:?}");
        }
        assert!(Words::try_parse_from(["x", "--insecure", "--tls-verify=true"]).is_err());
    }

    #[test]
    fn a_password_on_the_command_line_is_taken_and_not_shown() {
        let arguments = parse(&["--creds", "me:a:hunter2"]);
        assert!(!format!("{arguments:?}").contains("hunter2"));
        let creds = Secret::new("me:a:hunter2");
        let given = [Given { flag: "--creds", creds: &creds, registry: Some("a.io") }];
        let options = arguments.credentials(&none(), &given).unwrap();
        let [given] = options.given.as_slice() else { panic!("{options:?}") };
        assert_eq!((given.user.as_str(), given.password.reveal()), ("me", "a:hunter2"));
        assert_eq!(given.registry.as_deref(), Some("a.io"));
        let error = parse(&["--creds", "hunter2"]).options(&none(), None).err().unwrap();
        assert!(!error.text(Default::default()).contains("hunter2"));
    }

    #[test]
    fn a_named_file_counts_before_variables_and_nobody_before_all() {
        let environment: Environment =
            [("REGISTRY_AUTH_FILE", "/a.json"), ("DOCKER_AUTH_CONFIG", "{}"), ("HOME", "/home/u")].into();
        let options = parse(&["--authfile", "b.json"]).credentials(&environment, &[]).unwrap();
        assert_eq!(options.only.map(|only| only.path), Some("b.json".into()));
        assert!(options.inline.is_none());
        let options = parse(&[]).credentials(&environment, &[]).unwrap();
        let only = options.only.unwrap();
        assert_eq!((only.path, only.named_by.as_str()), ("/a.json".into(), "REGISTRY_AUTH_FILE"));
        assert!(options.inline.is_some());
        let options = parse(&["--no-creds"]).credentials(&environment, &[]).unwrap();
        assert!(options.only.is_none() && options.inline.is_none() && options.files.is_empty());
        assert!(Words::try_parse_from(["x", "--no-creds", "--creds", "a:b"]).is_err());
    }
}
