//! `tug login`: keeps a password for a registry, after it was tried.

mod ask;
mod show;

use std::io::Read;

use tug_registry_client::credentials::{
    CredentialKind, CredentialOptions, Credentials, GivenCredential, Saved,
};
use tug_registry_client::{Client, Kind, Repository, Secret};

use crate::error::CommandError;
use crate::registry_settings::{self, ConnectionArguments};
use crate::settings::Settings;

/// The most that `--password-stdin` reads; tokens of some clouds have several kilobytes.
const LONGEST_PASSWORD: u64 = 1 << 20;

/// Arguments of `tug login`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug login                                          Docker Hub
  tug login -u me ghcr.io                            Asks for the password, or for a token
  pass show ghcr | tug login -u me --password-stdin ghcr.io
  tug login quay.io/team                             Only for what is below that name
  tug login --show ghcr.io                           Which credentials count there, and why
  tug login --get-login ghcr.io                      As whom")]
pub(crate) struct LoginArguments {
    /// The registry: a host, or a path on it [default: docker.io]
    #[arg(value_name = "REGISTRY")]
    registry: Option<String>,
    /// The user
    #[arg(short, long, value_name = "USER")]
    username: Option<String>,
    /// The password, or a token
    ///
    /// Others on this machine can see it in the list of processes: `--password-stdin` is better.
    #[arg(short, long, value_name = "PASSWORD", value_parser = registry_settings::secret)]
    password: Option<Secret>,
    /// Read the password from standard input
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
    /// Show which credentials count for the registry, and why; no secret is shown
    #[arg(long, conflicts_with_all = ["username", "password", "password_stdin", "get_login"])]
    show: bool,
    /// Print the user that is logged in, and nothing else
    #[arg(long, conflicts_with_all = ["username", "password", "password_stdin"])]
    get_login: bool,
    /// With `--show`: write `json`, or what a template says, such as `{{.Place}}`
    #[arg(long, value_name = "FORMAT", requires = "show")]
    format: Option<String>,
    /// How the registry is reached
    #[command(flatten)]
    connection: ConnectionArguments,
    /// Accepted from podman; tug says where it keeps the password anyway
    #[arg(short, long, hide = true)]
    verbose: bool,
}

/// Logs in, or tells what there is.
pub(super) fn run(arguments: &LoginArguments, settings: &Settings) -> Result<(), CommandError> {
    let server = server(arguments.registry.as_deref())?;
    let places = arguments.connection.credentials(&settings.environment);
    if arguments.show {
        return show::run(&Credentials::new(places), &server, arguments.format.as_deref(), settings);
    }
    if arguments.get_login {
        return get_login(&Credentials::new(places), &server, settings);
    }
    let kind = asked(arguments, &server, &places, settings)?;
    check(arguments, &server, &kind, &places, settings)?;
    let credentials = Credentials::new(places);
    let saved = credentials.save(&server, &kind)?;
    tell(&credentials, &server, &kind, &saved, settings);
    Ok(())
}

/// What somebody logs in to.
pub(super) fn server(text: Option<&str>) -> Result<Repository, CommandError> {
    let Some(text) = text else { return Ok(Repository::whole("docker.io")) };
    Repository::of_server(text).ok_or_else(|| {
        // What stands before an `@` may be a password.
        let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
        CommandError::usage(format_args!("`{shown}` is not the address of a registry")).hint(
            "expected a host such as `ghcr.io` or `localhost:5000`, or a path on it such as `quay.io/team`",
        )
    })
}

/// The user and the password, from flags, standard input or the terminal.
fn asked(
    arguments: &LoginArguments,
    server: &Repository,
    places: &CredentialOptions,
    settings: &Settings,
) -> Result<CredentialKind, CommandError> {
    let user = match &arguments.username {
        Some(user) => user.clone(),
        None if arguments.password_stdin => {
            return Err(CommandError::usage("`--password-stdin` needs `--username`")
                .hint(format!("write `tug login -u USER --password-stdin {server}`")));
        }
        None => ask::user(known_user(server, places).as_deref(), settings)?,
    };
    if user.is_empty() {
        return Err(CommandError::usage("the user has no name"));
    }
    let password = if arguments.password_stdin {
        piped()?
    } else if let Some(password) = &arguments.password {
        settings.output.warning(
            "`--password` can be seen in the list of processes and stays in the history of the shell: use \
             `--password-stdin`",
        );
        password.clone()
    } else {
        ask::password(settings)?
    };
    match password.reveal().is_empty() {
        true => Err(CommandError::usage("the password is empty")),
        false => Ok(CredentialKind::of_pair(&user, password.reveal())),
    }
}

/// Who is logged in already, to be offered.
fn known_user(server: &Repository, places: &CredentialOptions) -> Option<String> {
    let found = Credentials::new(places.clone()).for_repository(server).ok()??;
    found.kind.user().map(str::to_owned)
}

/// All of standard input, without the end of its line.
fn piped() -> Result<Secret, CommandError> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST_PASSWORD + 1).read_to_string(&mut text);
    read.map_err(|error| {
        CommandError::failed("cannot read the password from standard input").because(&error)
    })?;
    if text.len() as u64 > LONGEST_PASSWORD {
        return Err(CommandError::failed("standard input has more than a password"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
}

/// Asks the registry what it thinks of them. They are for nobody else, whatever the files say.
fn check(
    arguments: &LoginArguments,
    server: &Repository,
    kind: &CredentialKind,
    places: &CredentialOptions,
    settings: &Settings,
) -> Result<(), CommandError> {
    let (user, password) = match kind {
        CredentialKind::Basic { user, password } => (user.as_str(), password),
        CredentialKind::Identity(token) | CredentialKind::Registry(token) => ("<token>", token),
    };
    let given = GivenCredential {
        registry: None,
        user: user.to_owned(),
        password: password.clone(),
        flag: "tug login".to_owned(),
    };
    let only = CredentialOptions { given: vec![given], ..places.clone() };
    let client = Client::new(arguments.connection.options(&settings.environment, only, &[])?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("cannot prepare to use the network").because(&error))?;
    match runtime.block_on(client.ping(&server.registry)) {
        Ok(true) => Ok(()),
        Ok(false) => {
            settings.output.warning(format_args!(
                "`{}` lets everybody in, so nobody has looked at this password",
                server.registry
            ));
            Ok(())
        }
        Err(error) if matches!(error.kind(), Kind::Unauthorized | Kind::Denied) => {
            let refused = CommandError::from(error);
            Err(refused.hint("nothing was saved; many registries want a token here instead of the password"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Says where it is kept now, and what may be unexpected about that.
fn tell(
    credentials: &Credentials,
    server: &Repository,
    kind: &CredentialKind,
    saved: &Saved,
    settings: &Settings,
) {
    let output = &settings.output;
    let user = kind.user().map_or_else(|| "with a token".to_owned(), |user| format!("as `{user}`"));
    output.note(format_args!("logged in to `{server}` {user}; kept in {}", saved.source));
    if saved.is_plain {
        output.warning(format_args!(
            "whoever can read {} has the password: base64 hides nothing. A helper keeps it better: install for example \
             `docker-credential-pass`, and write `\"credsStore\": \"pass\"` into that file",
            saved.source.origin
        ));
    }
    match credentials.for_repository(server) {
        Ok(Some(found)) if found.source != saved.source => output.warning(format_args!(
            "it has no effect as long as {} has other credentials for `{server}`",
            found.source
        )),
        _ => {}
    }
}

fn get_login(
    credentials: &Credentials,
    server: &Repository,
    settings: &Settings,
) -> Result<(), CommandError> {
    match credentials.for_repository(server)? {
        Some(found) => settings.output.line(found.kind.user().unwrap_or("<token>")),
        None => Err(CommandError::failed(format_args!("not logged in to `{server}`"))
            .hint(format!("`tug login {server}` does it"))),
    }
}
