//! What a build tells the job of GitHub Actions that it runs in, under the names of docker/build-push-action.
//!
//! | variable              | what is added to the file that it names                  |
//! | --------------------- | -------------------------------------------------------- |
//! | `GITHUB_OUTPUT`       | `imageid`, `digest` and `metadata` for later steps       |
//! | `GITHUB_STEP_SUMMARY` | a table of the build                                     |

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use crate::environment::{self, Environment};
use crate::human;

/// What came out of a build.
pub(super) struct Result<'a> {
    /// The image id.
    pub(super) id: Option<String>,
    /// The digest of the manifest or index.
    pub(super) digest: Option<String>,
    /// What `--metadata-file` gets.
    pub(super) metadata: &'a Value,
    /// Name, digest, time and cache in one line.
    pub(super) summary: String,
}

/// Adds the result to the files of the job, where there are any.
pub(super) fn tell(result: &Result<'_>, environment: &Environment) -> io::Result<()> {
    // Nobody who has a say in the metadata can know the word that ends them.
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let texts = [
        (environment::GITHUB_OUTPUT, outputs(result, &format!("tug-{seed:016x}"))),
        (environment::GITHUB_STEP_SUMMARY, table(result)),
    ];
    for (variable, text) in texts {
        if let Some(path) = environment.path(variable) {
            add(&path, &text)?;
        }
    }
    Ok(())
}

fn outputs(result: &Result<'_>, end: &str) -> String {
    let line = |name: &str, value: &Option<String>| match value {
        Some(value) => format!("{name}={value}\n"),
        None => String::new(),
    };
    let metadata = format!("metadata<<{end}\n{:#}\n{end}\n", result.metadata);
    line("imageid", &result.id) + &line("digest", &result.digest) + &metadata
}

fn table(result: &Result<'_>) -> String {
    let cell = |text: &str| human::one_line(text).replace('|', "\\|").replace('<', "&lt;");
    let mut text = "### tug build\n\n| | |\n| --- | --- |\n".to_owned();
    let mut row = |name: &str, value: &str| text += &format!("| {name} | {} |\n", cell(value));
    row("Result", &result.summary);
    if let Some(digest) = &result.digest {
        row("Digest", digest);
    }
    if let Some(id) = result.metadata["tug.build.id"].as_str() {
        row("Log", &format!("`tug log {id}`"));
    }
    text + "\n"
}

fn add(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn later_steps_and_readers_get_the_result() {
        let metadata = json!({"image.name": "app|<b>", "tug.build.id": "20240506-070809-1a2b3c"});
        let result = Result {
            id: Some("sha256:aa".to_owned()),
            digest: Some("sha256:bb".to_owned()),
            metadata: &metadata,
            summary: "app|<b> in 4.1s".to_owned(),
        };
        insta::assert_snapshot!(outputs(&result, "END") + &table(&result), @r#"
        imageid=sha256:aa
        digest=sha256:bb
        metadata<<END
        {
          "image.name": "app|<b>",
          "tug.build.id": "20240506-070809-1a2b3c"
        }
        END
        ### tug build

        | | |
        | --- | --- |
        | Result | app\|&lt;b> in 4.1s |
        | Digest | sha256:bb |
        | Log | `tug log 20240506-070809-1a2b3c` |
        "#);
    }

    #[test]
    fn what_is_in_the_files_of_the_job_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        std::fs::write(&path, "before=1\n").unwrap();
        let environment = Environment::from([("GITHUB_OUTPUT", path.to_str().unwrap())]);
        let result = Result { id: None, digest: None, metadata: &json!({}), summary: String::new() };
        tell(&result, &environment).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("before=1\nmetadata<<tug-"), "{text}");
    }
}
