//! `tug search`: repositories of Docker Hub by what they are about, of other registries by their names.

use std::str::FromStr;

use serde_json::json;
use tug_registry_client::Found;

use super::Registry;
use super::names;
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// Arguments of `tug search`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug search postgres                              Docker Hub
  tug search --filter is-official=true postgres
  tug search localhost:5000/app                    Names with `app` in them, of a registry that lists its repositories")]
pub(crate) struct SearchArguments {
    /// What to look for, after the registry and a `/` where it is not Docker Hub
    #[arg(value_name = "TERM")]
    term: String,
    /// Show at most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Show only these: `stars=N`, `is-official=true` (can be repeated)
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<Filter>,
    /// Show whole descriptions
    #[arg(long)]
    no_trunc: bool,
    /// Write `json`, or what a template says, such as `{{.Name}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Stars(u64),
    IsOfficial(bool),
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a filter: expected `stars=N` or `is-official=true`");
        match text.split_once('=') {
            Some(("stars", number)) => number.parse().map(Self::Stars).map_err(|_| wrong()),
            Some(("is-official", "true" | "1")) => Ok(Self::IsOfficial(true)),
            Some(("is-official", "false" | "0")) => Ok(Self::IsOfficial(false)),
            _ => Err(wrong()),
        }
    }
}

const TABLE: Table = Table {
    template: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
    heads: &[
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("StarCount", "STARS"),
        ("IsOfficial", "OFFICIAL"),
    ],
};

/// Characters of a description that a table shows, as in docker.
const DESCRIPTION: usize = 45;

/// Searches.
pub(crate) fn run(arguments: &SearchArguments, settings: &Settings) -> Result<(), CommandError> {
    let (host, term) = parts(&arguments.term)?;
    let registry = Registry::connect(&arguments.registry, Some(&host), settings)?;
    let what = format!("could not search `{host}`");
    let limit = arguments.limit as usize;
    let mut found = registry.run(what, registry.client().search(&host, term, limit))?;
    found.retain(|found| arguments.filters.iter().all(|filter| filter.lets_pass(found)));
    found.truncate(limit);
    let rows: Vec<Row> = found.iter().map(|found| row(found, arguments.no_trunc)).collect();
    format::list(arguments.format.as_deref(), &TABLE, &rows, &settings.output)
}

/// The registry and the term. What stands before a `/` is a registry if it looks like one, as in names of images.
fn parts(text: &str) -> Result<(String, &str), CommandError> {
    let text = text.strip_prefix(names::DOCKER).unwrap_or(text);
    let (host, term) = match text.split_once('/') {
        Some((host, term)) if host == "localhost" || host.contains(['.', ':']) => {
            let host = names::registry(host).map_err(CommandError::usage)?;
            (host, term)
        }
        _ => ("docker.io".to_owned(), text),
    };
    match term.is_empty() && host == "docker.io" {
        false => Ok((host, term)),
        true => Err(CommandError::usage("there is nothing to look for").hint("`tug search postgres`")),
    }
}

impl Filter {
    fn lets_pass(self, found: &Found) -> bool {
        match self {
            Self::Stars(least) => found.stars >= least,
            Self::IsOfficial(wanted) => found.is_official == wanted,
        }
    }
}

fn row(found: &Found, no_trunc: bool) -> Row {
    let description = human::one_line(&found.description);
    let shortened = match description.char_indices().nth(DESCRIPTION) {
        Some(_) if !no_trunc => description.chars().take(DESCRIPTION - 1).collect::<String>() + "…",
        _ => description,
    };
    let name = human::one_line(&found.name);
    Row {
        data: json!({
            "name": name,
            "description": found.description,
            "stars": found.stars,
            "official": found.is_official,
        }),
        shown: json!({
            "Name": name,
            "Description": shortened,
            "StarCount": found.stars,
            "IsOfficial": if found.is_official { "[OK]" } else { "" },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_before_the_term_is_known_by_its_look() {
        for (text, host, term) in [
            ("postgres", "docker.io", "postgres"),
            ("bitnami/redis", "docker.io", "bitnami/redis"),
            ("localhost:5000/app", "localhost:5000", "app"),
            ("localhost/", "localhost", ""),
            ("docker://quay.io/a/b", "quay.io", "a/b"),
            ("docker.io/app", "docker.io", "app"),
        ] {
            assert_eq!(parts(text).unwrap(), (host.to_owned(), term), "{text}");
        }
        for bad in ["", "docker.io/", "a:b:c/x"] {
            assert_eq!(parts(bad).unwrap_err().exit(), crate::exit::Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn filters_are_dockers() {
        assert_eq!("stars=3".parse(), Ok(Filter::Stars(3)));
        assert_eq!("is-official=false".parse(), Ok(Filter::IsOfficial(false)));
        for bad in ["", "stars", "stars=x", "is-official=maybe", "x=1"] {
            assert!(bad.parse::<Filter>().is_err(), "{bad}");
        }
    }
}
