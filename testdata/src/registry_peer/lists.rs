//! Lists of tags, repositories and referrers, page by page.

use serde_json::{Value, json};

use super::answer::Answer;
use super::behaviour::{Behaviour, More, Referrers};
use super::contents::{self, CONFIG, Contents, INDEX};
use super::wire::Request;

pub(super) fn tags(behaviour: &Behaviour, contents: &Contents, request: &Request, name: &str) -> Answer {
    let Some(repository) = contents.repositories.get(name) else {
        return Answer::error(404, "NAME_UNKNOWN", "repository name not known to registry");
    };
    let all: Vec<String> = repository.tags.keys().cloned().collect();
    let (page, link) = page(behaviour, request, &all);
    let tags = if page.is_empty() && behaviour.lists.says_null { Value::Null } else { json!(page) };
    json_answer(&json!({ "name": name, "tags": tags }), link)
}

pub(super) fn catalog(behaviour: &Behaviour, contents: &Contents, request: &Request) -> Answer {
    if !behaviour.lists.has_catalog {
        return Answer::status(404);
    }
    let all: Vec<String> = contents.repositories.keys().cloned().collect();
    let (page, link) = page(behaviour, request, &all);
    json_answer(&json!({ "repositories": page }), link)
}

pub(super) fn referrers(
    behaviour: &Behaviour,
    contents: &Contents,
    request: &Request,
    name: &str,
    digest: &str,
) -> Answer {
    match behaviour.referrers {
        Referrers::Missing => return Answer::error(404, "UNSUPPORTED", "no such endpoint"),
        Referrers::Html => {
            return Answer::body("<!doctype html><title>Welcome</title>").header("Content-Type", "text/html");
        }
        Referrers::Listed | Referrers::Unfiltered => {}
    }
    let wanted = request.parameter("artifactType").filter(|_| behaviour.referrers == Referrers::Listed);
    let mut entries = Vec::new();
    for (known, (media_type, bytes)) in
        contents.repositories.get(name).into_iter().flat_map(|all| &all.manifests)
    {
        let Ok(manifest) = serde_json::from_slice::<Value>(bytes) else { continue };
        if manifest["subject"]["digest"] != digest {
            continue;
        }
        let config = &manifest["config"]["mediaType"];
        let kind = if manifest["artifactType"].is_string() { &manifest["artifactType"] } else { config };
        if wanted.as_ref().is_some_and(|wanted| kind != wanted) {
            continue;
        }
        let mut entry = contents::descriptor(media_type, known, bytes.len());
        if kind.is_string() && kind != CONFIG {
            entry["artifactType"] = kind.clone();
        }
        if manifest["annotations"].is_object() {
            entry["annotations"] = manifest["annotations"].clone();
        }
        entries.push(entry);
    }
    let names: Vec<String> =
        entries.iter().map(|entry| entry["digest"].as_str().unwrap_or_default().to_owned()).collect();
    let (page, link) = page(behaviour, request, &names);
    entries.retain(|entry| page.iter().any(|name| entry["digest"] == name.as_str()));
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    let mut answer = json_answer(&index, link);
    answer.set("Content-Type", Some(INDEX));
    if wanted.is_some() {
        answer.set("OCI-Filters-Applied", Some("artifactType"));
    }
    answer
}

/// The names of this page, and the `Link` to the next one.
fn page(behaviour: &Behaviour, request: &Request, all: &[String]) -> (Vec<String>, Option<String>) {
    let lists = &behaviour.lists;
    let asked = request.parameter("n").and_then(|n| n.parse::<usize>().ok()).filter(|_| lists.heeds_n);
    let size = asked.unwrap_or(lists.page).min(lists.page);
    let last = request.parameter("last").filter(|_| lists.more != More::Loop).unwrap_or_default();
    let rest: Vec<&String> = all.iter().filter(|name| last.is_empty() || **name > last).collect();
    let page: Vec<String> = rest.iter().take(size).map(|name| (*name).clone()).collect();
    let has_more = rest.len() > page.len() && !page.is_empty();
    let filter =
        request.parameter("artifactType").map_or_else(String::new, |kind| format!("&artifactType={kind}"));
    let next = page
        .last()
        .map(|last| format!("{}?last={last}&n={size}{filter}", request.path()))
        .unwrap_or_default();
    let link = match &lists.more {
        _ if !has_more => None,
        More::Silent => None,
        More::Link => Some(format!("<{next}>; rel=\"next\"")),
        More::Loop => Some(format!("<{}>; rel=\"next\"", request.target)),
        More::LinkAt(base) => Some(format!("<{base}{next}>; rel=\"next\"")),
    };
    (page, link)
}

fn json_answer(value: &Value, link: Option<String>) -> Answer {
    let answer = Answer::body(value.to_string()).header("Content-Type", "application/json");
    match link {
        Some(link) => answer.header("Link", &link),
        None => answer,
    }
}
