//! `tug tags`: the tags of a repository.

use std::cmp::Ordering;

use serde_json::json;
use tug_registry_client::Repository;

use super::Registry;
use super::names::{self, RemoteName};
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// Arguments of `tug tags`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug tags debian
  tug tags ghcr.io/owner/app --sort version --reverse --limit 5   The five newest, if tags are versions
  tug tags localhost:5000/app --format '{{.Name}}'                Names that can be pulled")]
pub(crate) struct TagsArguments {
    /// The repository
    #[arg(value_name = "REPOSITORY", value_parser = names::repository)]
    repository: RemoteName,
    /// Show at most so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Show them in this order
    #[arg(long, value_name = "ORDER", default_value = "registry")]
    sort: Order,
    /// Show the last one first
    #[arg(long)]
    reverse: bool,
    /// Leave out tags that hold lists of what is attached to images (`sha256-…`)
    #[arg(long)]
    exclude_digest_tags: bool,
    /// Write `json`, or what a template says, such as `{{.Name}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    #[command(flatten)]
    registry: RegistryArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// As the registry gives them: mostly by letters
    Registry,
    /// As people count: 1.9 before 1.10
    Version,
}

const TABLE: Table = Table { template: "{{.Tag}}", heads: &[("Tag", "TAG"), ("Name", "NAME")] };

/// Lists them, one a line and nothing else.
pub(crate) fn run(arguments: &TagsArguments, settings: &Settings) -> Result<(), CommandError> {
    let (registry, name) = Registry::of(&arguments.registry, &arguments.repository, settings)?;
    let is_as_it_comes =
        arguments.sort == Order::Registry && !arguments.reverse && !arguments.exclude_digest_tags;
    let limit = arguments.limit.filter(|_| is_as_it_comes);
    let familiar = name.familiar_name();
    let what = format!("could not list the tags of `{familiar}`");
    let mut tags = match limit {
        Some(0) => Vec::new(),
        _ => registry.run(what, registry.client().tags(&Repository::from(&name), limit))?,
    };
    if arguments.exclude_digest_tags {
        tags.retain(|tag| !is_digest_tag(tag));
    }
    if arguments.sort == Order::Version {
        tags.sort_by(|left, right| by_version(left, right));
    }
    if arguments.reverse {
        tags.reverse();
    }
    tags.truncate(arguments.limit.unwrap_or(usize::MAX));
    let rows: Vec<Row> = tags
        .iter()
        .map(|tag| {
            let (tag, name) = (human::one_line(tag), human::one_line(&format!("{familiar}:{tag}")));
            Row { data: json!({"tag": tag, "name": name}), shown: json!({"Tag": tag, "Name": name}) }
        })
        .collect();
    format::list(Some(arguments.format.as_deref().unwrap_or("{{.Tag}}")), &TABLE, &rows, &settings.output)
}

/// Whether a tag is made of a digest: `sha256-…`, with the endings that cosign gives (`.sig`, `.att`).
fn is_digest_tag(tag: &str) -> bool {
    ["sha256-", "sha512-"].iter().any(|algorithm| {
        let rest = tag.strip_prefix(algorithm).unwrap_or_default();
        let digits = rest.split('.').next().unwrap_or_default();
        digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Numbers in tags are compared as numbers, however long they are; the rest by letters.
fn by_version(left: &str, right: &str) -> Ordering {
    let (mut left_rest, mut right_rest) = (left, right);
    loop {
        let (one, other) = (piece(&mut left_rest), piece(&mut right_rest));
        let is_number = |piece: &str| piece.starts_with(|letter: char| letter.is_ascii_digit());
        let order = match (is_number(one), is_number(other)) {
            (true, true) => {
                let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
                one.len().cmp(&other.len()).then_with(|| one.cmp(other))
            }
            _ => one.cmp(other),
        };
        if order != Ordering::Equal {
            return order;
        }
        if one.is_empty() {
            return left.cmp(right);
        }
    }
}

/// Takes the digits, or all up to the next digit, from the beginning.
fn piece<'a>(text: &mut &'a str) -> &'a str {
    let is_number = text.starts_with(|letter: char| letter.is_ascii_digit());
    let end = text.find(|letter: char| letter.is_ascii_digit() != is_number).unwrap_or(text.len());
    let (piece, rest) = text.split_at(end);
    *text = rest;
    piece
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_people_count() {
        let mut tags = vec![
            "latest",
            "1.10",
            "1.9.1",
            "v2",
            "1.9",
            "01.9",
            "99999999999999999999999",
            "1",
            "1.9-rc1",
            "",
        ];
        tags.sort_by(|left, right| by_version(left, right));
        assert_eq!(
            tags,
            ["", "1", "01.9", "1.9", "1.9-rc1", "1.9.1", "1.10", "99999999999999999999999", "latest", "v2"]
        );
    }

    #[test]
    fn tags_of_lists_are_known_by_their_look() {
        let hex = "0123456789abcdef".repeat(4);
        for yes in [format!("sha256-{hex}"), format!("sha512-{hex}"), format!("sha256-{hex}.sig")] {
            assert!(is_digest_tag(&yes), "{yes}");
        }
        for no in ["sha256-1", "latest", "sha256-"] {
            assert!(!is_digest_tag(no), "{no}");
        }
    }
}
