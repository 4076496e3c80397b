//! What was found as SARIF 2.1.0, the common form of static analysis, which code scanning reads.
//!
//! Every rule is listed with its page, also those that nothing goes against: whoever reads several logs sees when a rule
//! stops being broken. Columns count characters. What is wrong with a file goes under the rule `DockerfileError`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use tug_dockerfile::{LineIndex, Lint, Rule, Span};

use super::report::Checked;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const ERROR_RULE: &str = "DockerfileError";

/// The log. Names of files are seen from `folder`.
pub(super) fn log(checked: &[Checked<'_>], folder: &Path) -> Value {
    let results: Vec<Value> = checked.iter().flat_map(|checked| results(checked, folder)).collect();
    let mut rules: Vec<Value> = Rule::ALL.iter().map(|rule| described(*rule)).collect();
    rules.push(json!({
        "id": ERROR_RULE,
        "shortDescription": {"text": "the Dockerfile cannot be built"},
        "defaultConfiguration": {"level": "error"},
    }));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "tug", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn described(rule: Rule) -> Value {
    json!({
        "id": rule.name(),
        "shortDescription": {"text": rule.description()},
        "helpUri": rule.url(),
        "defaultConfiguration": {"level": "warning", "enabled": !rule.is_experimental()},
    })
}

fn results(checked: &Checked<'_>, folder: &Path) -> Vec<Value> {
    let lines = LineIndex::new(&checked.findings.source.text);
    let file = uri(&folder.join(&checked.inspected.source.name));
    let text = LineIndex::new(&checked.inspected.source.text);
    let found = checked.findings.lints.iter().map(|lint: &Lint| {
        let index = Rule::ALL.iter().position(|rule| *rule == lint.rule);
        json!({
            "ruleId": lint.rule.name(),
            "ruleIndex": index,
            "level": if lint.is_error { "error" } else { "warning" },
            "message": {"text": lint.message},
            "locations": [place(&file, lint.span, &lines)],
        })
    });
    let wrong = checked.inspected.problems.iter().map(|problem| {
        let message = match &problem.help {
            Some(help) => format!("{}; {help}", problem.message),
            None => problem.message.clone(),
        };
        json!({
            "ruleId": ERROR_RULE,
            "ruleIndex": Rule::ALL.len(),
            "level": "error",
            "message": {"text": message},
            "locations": [place(&file, Span::new(problem.span.start, problem.span.end), &text)],
        })
    });
    found.chain(wrong).collect()
}

fn place(file: &str, span: Span, lines: &LineIndex<'_>) -> Value {
    let (start, end) = (lines.location(span.start), lines.location(span.end));
    json!({"physicalLocation": {
        "artifactLocation": {"uri": file},
        "region": {
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        },
    }})
}

/// A path as a relative reference: what has a meaning in addresses is written in hexadecimal.
fn uri(path: &Path) -> String {
    let mut uri = String::new();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                uri.push(byte.into());
            }
            other => drop(write!(uri, "%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_reference() {
        assert_eq!(uri(Path::new("a b/Dockerfile.1")), "a%20b/Dockerfile.1");
        assert_eq!(uri(Path::new("ä:#")), "%C3%A4%3A%23");
    }
}
