//! Secrets that let a build in at servers, by the ids that BuildKit gives them.
//!
//! | id                                            | what is sent as `Authorization`                       |
//! | --------------------------------------------- | ----------------------------------------------------- |
//! | `HTTP_AUTH_TOKEN_<host>`                      | `Bearer` and the value, for downloads                 |
//! | `HTTP_AUTH_HEADER_<host>`                     | the value, for downloads                              |
//! | `GIT_AUTH_TOKEN.<host>`, `GIT_AUTH_TOKEN`     | the value as a password, for repositories over http   |
//! | `GIT_AUTH_HEADER.<host>`, `GIT_AUTH_HEADER`   | the value, for repositories over http                 |

use tug_fetch::Credential;

use crate::options::RemoteOptions;
use crate::secret::Secret;

/// The options with what `secrets` say.
pub(crate) fn with_secrets(mut options: RemoteOptions, secrets: &[Secret]) -> RemoteOptions {
    for secret in secrets {
        let Ok(value) = std::str::from_utf8(secret.value()) else { continue };
        let value = value.trim_end_matches(['\r', '\n']);
        // A line break would be the end of a header.
        if value.is_empty() || value.contains(|letter: char| letter.is_control()) {
            continue;
        }
        let id = secret.id();
        if let Some(host) = id.strip_prefix("HTTP_AUTH_TOKEN_") {
            options.http.credentials.push(Credential::bearer(host, value));
        } else if let Some(host) = id.strip_prefix("HTTP_AUTH_HEADER_") {
            options.http.credentials.push(Credential::header(host, value));
        } else if let Some(host) = host_of(id, "GIT_AUTH_TOKEN") {
            options.git.credentials.push(Credential::of_git(host, value));
        } else if let Some(host) = host_of(id, "GIT_AUTH_HEADER") {
            options.git.credentials.push(Credential::header(host, value));
        }
    }
    options
}

/// The host in `name.host`; empty for `name` alone.
fn host_of<'a>(id: &'a str, name: &str) -> Option<&'a str> {
    let rest = id.strip_prefix(name)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('.') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_say_for_whom_a_secret_is() {
        let secrets = [
            Secret::new("HTTP_AUTH_TOKEN_example.org", "a\n"),
            Secret::new("HTTP_AUTH_HEADER_h:8080", "Basic b"),
            Secret::new("GIT_AUTH_TOKEN", "c"),
            Secret::new("GIT_AUTH_HEADER.h", "basic d"),
            Secret::new("GIT_AUTH_TOKENS", "no"),
            Secret::new("HTTP_AUTH_TOKEN_evil", "a\nX-Other: b"),
        ];
        let options = with_secrets(RemoteOptions::default(), &secrets);
        assert_eq!(
            options.http.credentials,
            [Credential::bearer("example.org", "a"), Credential::header("h:8080", "Basic b")]
        );
        assert_eq!(
            options.git.credentials,
            [Credential::of_git("", "c"), Credential::header("h", "basic d")]
        );
    }
}
