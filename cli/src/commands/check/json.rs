//! What was found, and what can be built, with the members that buildx writes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tug_builder::Findings;
use tug_dockerfile::{LineIndex, Lint, Outline, OutlineRequest, Span, Target};

use super::report::Checked;

/// What `--call check,format=json` writes.
pub(super) fn results(checked: &[Checked<'_>]) -> Value {
    let mut warnings = Vec::new();
    let mut sources = Vec::new();
    let mut error = None;
    for (number, checked) in checked.iter().enumerate() {
        let source = &checked.inspected.source;
        let lines = LineIndex::new(&checked.inspected.bytes);
        warnings.extend(checked.findings.lints.iter().map(|lint| warning(lint, &lines, number)));
        sources.push(json!({
            "filename": source.name,
            "language": "Dockerfile",
            "data": STANDARD.encode(&checked.inspected.bytes),
        }));
        let failing = checked.findings.failing_rules();
        let problem = checked
            .inspected
            .problems
            .first()
            .map(|problem| (problem.message.clone(), Span::new(problem.span.start, problem.span.end)));
        let violation = checked.findings.lints.iter().find(|lint| lint.is_error).map(|lint| {
            let names: Vec<&str> = failing.iter().map(|rule| rule.name()).collect();
            (format!("lint violation found for rules: {}", names.join(", ")), lint.instruction)
        });
        if let (None, Some((message, span))) = (&error, problem.or(violation)) {
            error = Some(json!({"message": message, "location": location(span, &lines, number)}));
        }
    }
    let mut results = json!({"warnings": warnings, "sources": sources});
    if let Some(error) = error {
        results["buildError"] = error;
    }
    results
}

fn warning(lint: &Lint, lines: &LineIndex<'_>, source: usize) -> Value {
    json!({
        "ruleName": lint.rule.name(),
        "description": lint.rule.description(),
        "url": lint.rule.url(),
        "detail": lint.message,
        "location": location(lint.instruction, lines, source),
    })
}

/// One range for each line. As in buildx, the first source has no number.
fn location(span: Span, lines: &LineIndex<'_>, source: usize) -> Value {
    let (first, last) = lines.lines(span);
    let range = |line: usize| json!({"start": {"line": line}, "end": {"line": line}});
    let mut location = Map::new();
    if source > 0 {
        location.insert("sourceIndex".to_owned(), source.into());
    }
    location.insert("ranges".to_owned(), (first..=last).map(range).collect());
    Value::Object(location)
}

/// What the metadata of a build say under `buildx.build.warnings`. The text of the Dockerfile, which buildx adds to each,
/// is left out: metadata are handed on in variables and arguments. Builds of several platforms have most in common.
pub(crate) fn metadata_warnings<'f>(all: impl Iterator<Item = &'f Findings>) -> Vec<Value> {
    let mut warnings: Vec<Value> = Vec::new();
    for findings in all {
        let lines = LineIndex::new(&findings.source.text);
        for lint in &findings.lints {
            let place = location(lint.instruction, &lines, 0);
            let line = lines.location(lint.instruction.start).line;
            let short = format!("{}: {} (line {line})", lint.rule.name(), lint.message);
            let warning = json!({
                "level": 1,
                "short": STANDARD.encode(short),
                "detail": [STANDARD.encode(lint.rule.description())],
                "url": lint.rule.url(),
                "sourceInfo": {"filename": findings.source.name, "language": "Dockerfile"},
                "range": place["ranges"],
            });
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}

/// What `--call outline,format=json` writes.
pub(super) fn outline(outline: &Outline, bytes: &[u8]) -> Value {
    let lines = LineIndex::new(bytes);
    let mut object = Map::new();
    let mut text = |name: &str, text: &str| {
        if !text.is_empty() {
            object.insert(name.to_owned(), text.into());
        }
    };
    text("name", &outline.name);
    text("description", &outline.description);
    let arguments = outline.arguments.iter().map(|argument| {
        let members = [
            ("name", argument.name.as_str()),
            ("description", &argument.description),
            ("value", &argument.value),
        ];
        let mut object = strings(&members);
        object.insert("location".to_owned(), location(argument.span, &lines, 0));
        Value::Object(object)
    });
    let request = |id: &'static str| {
        let lines = &lines;
        move |request: &OutlineRequest| {
            let mut object = strings(&[(id, request.id.as_str())]);
            if request.required {
                object.insert("required".to_owned(), true.into());
            }
            object.insert("location".to_owned(), location(request.span, lines, 0));
            Value::Object(object)
        }
    };
    let lists: [(&str, Vec<Value>); 4] = [
        ("args", arguments.collect()),
        ("secrets", outline.secrets.iter().map(request("name")).collect()),
        ("ssh", outline.ssh.iter().map(request("name")).collect()),
        ("cache", outline.caches.iter().map(request("ID")).collect()),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        object.insert(name.to_owned(), list.into());
    }
    object.insert("sources".to_owned(), json!([STANDARD.encode(bytes)]));
    Value::Object(object)
}

/// What `--call targets,format=json` writes.
pub(super) fn targets(targets: &[Target], bytes: &[u8]) -> Value {
    let lines = LineIndex::new(bytes);
    let target = |target: &Target| {
        let mut object = strings(&[("name", &target.name)]);
        if target.is_default {
            object.insert("default".to_owned(), true.into());
        }
        object.extend(strings(&[
            ("description", target.description.as_str()),
            ("base", &target.base),
            ("platform", &target.platform),
        ]));
        object.insert("location".to_owned(), location(target.span, &lines, 0));
        Value::Object(object)
    };
    let targets: Vec<Value> = targets.iter().map(target).collect();
    json!({"targets": targets, "sources": [STANDARD.encode(bytes)]})
}

/// Members that are not empty.
fn strings(members: &[(&str, &str)]) -> Map<String, Value> {
    let filled = members.iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}
