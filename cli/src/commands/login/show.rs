//! `tug login --show`: every place where credentials may be, and which one counts.

use serde_json::json;
use tug_registry_client::Repository;
use tug_registry_client::credentials::{Credentials, Explanation, Outcome};

use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::settings::Settings;

const TABLE: Table = Table {
    template: "{{.Outcome}}\t{{.Place}}",
    heads: &[("Outcome", "OUTCOME"), ("Place", "PLACE"), ("User", "USER"), ("What", "WHAT")],
};

/// Shows them. A place that is broken is an error, unless something before it counts.
pub(super) fn run(
    credentials: &Credentials,
    server: &Repository,
    format: Option<&str>,
    settings: &Settings,
) -> Result<(), CommandError> {
    let explained = credentials.explain(server)?;
    let rows: Vec<Row> = explained.iter().map(row).collect();
    format::list(format, &TABLE, &rows, &settings.output)?;
    let mut is_decided = false;
    for Explanation { outcome, .. } in explained {
        match outcome {
            Outcome::Broken(error) if !is_decided => return Err(error.into()),
            Outcome::Wins { .. } => is_decided = true,
            _ => {}
        }
    }
    if !is_decided {
        settings.output.note(format_args!("no credentials for `{server}`: it is asked as nobody"));
    }
    Ok(())
}

fn row(explanation: &Explanation) -> Row {
    let place = explanation.source.to_string();
    let (word, shown) = match &explanation.outcome {
        Outcome::Wins { what, user: Some(user) } => ("wins", format!("counts: {what} of `{user}`")),
        Outcome::Wins { what, user: None } => ("wins", format!("counts: {what}")),
        Outcome::Overruled => ("overruled", "comes too late".to_owned()),
        Outcome::NotAsked => ("notAsked", "is not asked any more".to_owned()),
        Outcome::Absent => ("absent", "is not there".to_owned()),
        Outcome::Nothing => ("nothing", "has nothing for it".to_owned()),
        Outcome::PassedOver(_) => ("passedOver", "cannot be read".to_owned()),
        Outcome::Broken(_) => ("broken", "is broken".to_owned()),
        _ => ("other", String::new()),
    };
    let (what, user) = match &explanation.outcome {
        Outcome::Wins { what, user } => (Some(*what), user.clone()),
        _ => (None, None),
    };
    Row {
        data: json!({
            "place": place,
            "outcome": word,
            "what": what,
            "user": user,
            "problem": match &explanation.outcome {
                Outcome::Broken(error) => Some(error.to_string()),
                Outcome::PassedOver(reason) => Some(reason.clone()),
                _ => None,
            },
        }),
        shown: json!({
            "Place": place,
            "Outcome": shown,
            "What": what.unwrap_or_default(),
            "User": user.unwrap_or_default(),
        }),
    }
}
