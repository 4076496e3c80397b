//! What is probably not meant in a Dockerfile, as it is shown at the end of a build.

use std::path::Path;

use tug_builder::Finding;

use crate::diagnostic::{self, escape_command, escape_property};
use crate::output::Stream;

/// Each with its line and a mark under its words, one below the other, with a free line between.
pub(crate) fn draw(findings: &[Finding], stream: Stream) -> String {
    let pictures: Vec<String> =
        findings.iter().map(|finding| diagnostic::draw_finding(finding, stream)).collect();
    pictures.join("\n")
}

/// Each as an annotation of GitHub Actions. `dockerfile` is the path of the Dockerfile as it was given, or of the one that
/// lies where none was.
pub(crate) fn annotate(findings: &[Finding], dockerfile: &str) -> String {
    let annotation = |finding: &Finding| {
        let beside = Path::new(dockerfile).parent().unwrap_or(Path::new("")).join(&finding.file);
        let file = if finding.file == dockerfile { dockerfile.into() } else { beside.to_string_lossy() };
        format!(
            "::warning file={},line={},col={},endColumn={},title={}::{}\n",
            escape_property(&file),
            finding.line,
            finding.column,
            finding.end_column,
            escape_property(&finding.rule),
            escape_command(&finding.message),
        )
    };
    findings.iter().map(annotation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::recorded;

    #[test]
    fn a_finding_shows_its_line_and_marks_its_words() {
        insta::assert_snapshot!(draw(&recorded::findings(), Stream::default()), @"
        warning[JSONArgsRecommended]: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals
         --> Dockerfile:3:1
          |
        3 | CMD x
          | ^^^
          |

        warning[NoEmptyContinuation]: Empty continuation line
          --> Dockerfile:12:1
           |
        12 |
           | ^
           |
        ");
    }

    #[test]
    fn github_gets_the_path_that_it_knows() {
        let findings = &recorded::findings()[..1];
        let message = "title=JSONArgsRecommended::JSON arguments recommended for CMD to prevent unintended behavior related to OS signals\n";
        assert_eq!(
            annotate(findings, "app/Dockerfile"),
            format!("::warning file=app/Dockerfile,line=3,col=1,endColumn=4,{message}")
        );
        assert_eq!(
            annotate(findings, "Dockerfile"),
            format!("::warning file=Dockerfile,line=3,col=1,endColumn=4,{message}")
        );
    }
}
