//! What RUN steps are entrusted with: secrets and ssh agents.

use std::str::FromStr;

use tug_dockerfile::closest;

/// What RUN steps are entrusted with.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What RUN steps are entrusted with")]
pub(crate) struct EntrustArguments {
    /// Give a secret to `RUN --mount=type=secret`: from a file, or from a variable (can be repeated)
    ///
    /// Fields: `id=ID` and `src=FILE` or `env=VARIABLE`. With an id alone, the variable of that name is taken, or else
    /// the file. The value is in no layer, key or log, and hidden where a command writes it.
    #[arg(long = "secret", value_name = "id=ID[,src=FILE|,env=VARIABLE]")]
    pub(crate) secrets: Vec<SecretArgument>,
    /// Give an ssh agent, or keys, to `RUN --mount=type=ssh` (can be repeated)
    ///
    /// `default` alone takes the agent of `SSH_AUTH_SOCK`. Keys are served by an `ssh-agent` that is started for the build.
    #[arg(long = "ssh", value_name = "default|ID[=SOCKET|=KEY[,KEY]]")]
    pub(crate) ssh: Vec<SshArgument>,
}

/// `--secret`, in docker's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretArgument {
    /// What Dockerfiles call it.
    pub(crate) id: String,
    /// Where its value is.
    pub(crate) origin: SecretOrigin,
}

/// Where the value of a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretOrigin {
    /// In a file.
    File(String),
    /// In a variable.
    Variable(String),
    /// In the variable that is called like it, or else in such a file.
    Either,
}

impl FromStr for SecretArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut id, mut source, mut variable, mut kind) = (None, None, None, None);
        for field in fields(text) {
            let Some((key, value)) = field.split_once('=') else {
                return Err(format!("`{field}` has no value: expected for example `id=token,src=token.txt`"));
            };
            let place = match key.to_ascii_lowercase().as_str() {
                "id" => &mut id,
                "src" | "source" => &mut source,
                "env" => &mut variable,
                "type" => &mut kind,
                other => {
                    let help = match closest(other, &["id", "src", "source", "env", "type"]) {
                        Some(similar) => format!("did you mean `{similar}`?"),
                        None => "a secret has `id`, `src`, `env` and `type`".to_owned(),
                    };
                    return Err(format!("a secret has no field `{key}`: {help}"));
                }
            };
            *place = Some(value.to_owned());
        }
        let id = id
            .filter(|id| !id.is_empty())
            .ok_or("a secret needs an `id`: that is its name in the Dockerfile")?;
        let origin = match (kind.as_deref(), source, variable) {
            (_, Some(_), Some(_)) => return Err("a secret has `src` or `env`, not both".to_owned()),
            (None | Some("env"), None, Some(variable)) | (Some("env"), Some(variable), None) => {
                SecretOrigin::Variable(variable)
            }
            (None | Some("file"), Some(file), None) => SecretOrigin::File(file),
            (Some("file"), None, Some(_)) => {
                return Err("`type=file` and `env` contradict each other".to_owned());
            }
            (Some("file"), None, None) => SecretOrigin::File(id.clone()),
            (Some("env"), None, None) => SecretOrigin::Variable(id.clone()),
            (None, None, None) => SecretOrigin::Either,
            (Some(other), ..) => {
                return Err(format!("`{other}` is no type of a secret: expected `file` or `env`"));
            }
        };
        match &origin {
            SecretOrigin::File(name) | SecretOrigin::Variable(name) if name.is_empty() => {
                Err("a secret needs a file or a variable, and its name is empty".to_owned())
            }
            _ => Ok(Self { id, origin }),
        }
    }
}

/// `--ssh`, in docker's syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SshArgument {
    /// What Dockerfiles call it.
    pub(crate) id: String,
    /// A socket, or files with keys; empty for the agent that everybody uses.
    pub(crate) paths: Vec<String>,
}

impl FromStr for SshArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, paths) = text.split_once('=').unwrap_or((text, ""));
        if id.is_empty() {
            return Err(format!(
                "`{text}` has no id: expected `default`, or for example `git=~/.ssh/id_ed25519`"
            ));
        }
        let paths: Vec<String> =
            paths.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        if text.contains('=') && paths.is_empty() {
            return Err(format!("`{text}` names neither a socket nor a key behind the `=`"));
        }
        Ok(Self { id: id.to_owned(), paths })
    }
}

/// Fields between commas; one in double quotes may hold commas.
fn fields(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            letter => fields.last_mut().expect("there is always one").push(letter),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_a_file_or_in_a_variable() {
        let origin = |text: &str| text.parse::<SecretArgument>().map(|secret| secret.origin);
        let file = |name: &str| Ok(SecretOrigin::File(name.to_owned()));
        let variable = |name: &str| Ok(SecretOrigin::Variable(name.to_owned()));
        assert_eq!(origin("id=a,src=b.txt"), file("b.txt"));
        assert_eq!(origin("source=b,id=a,type=file"), file("b"));
        assert_eq!(origin("id=a,\"src=b,c\""), file("b,c"));
        assert_eq!(origin("id=a,type=file"), file("a"));
        assert_eq!(origin("id=a,env=B"), variable("B"));
        assert_eq!(origin("type=env,id=a,src=B"), variable("B"));
        assert_eq!(origin("id=a,type=env"), variable("a"));
        assert_eq!(origin("id=a"), Ok(SecretOrigin::Either));
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_named() {
        for (text, reason) in [
            ("", "has no value"),
            ("token", "has no value"),
            ("src=a", "needs an `id`"),
            ("id=", "needs an `id`"),
            ("id=a,sorce=b", "did you mean `source`?"),
            ("id=a,src=b,env=c", "not both"),
            ("id=a,type=file,env=c", "contradict"),
            ("id=a,type=vault", "no type of a secret"),
            ("id=a,src=", "is empty"),
        ] {
            let error = text.parse::<SecretArgument>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn an_agent_is_a_socket_or_keys() {
        let parsed = |text: &str| text.parse::<SshArgument>().map(|ssh| (ssh.id, ssh.paths));
        assert_eq!(parsed("default"), Ok(("default".to_owned(), vec![])));
        assert_eq!(parsed("git=/a,/b"), Ok(("git".to_owned(), vec!["/a".to_owned(), "/b".to_owned()])));
        assert!(parsed("=x").is_err() && parsed("git=").is_err() && parsed("").is_err());
    }
}
