//! Every folder of `tests/cases` is a Dockerfile and what reading it gives: the outline of its instructions,
//! or the errors as they are shown. A new case needs no code: add a folder with a `Dockerfile`, run the test
//! once with `UPDATE_CASES=1`, and read what it wrote.

mod outline;

use std::fs;
use std::path::Path;

use tug_dockerfile::Dockerfile;

#[test]
fn every_case_reads_as_expected() {
    let mut cases = Vec::new();
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")).expect("the cases are there")
    {
        cases.push(entry.expect("the cases can be listed").path());
    }
    cases.sort();
    assert!(cases.len() >= 60, "only {} cases were found", cases.len());

    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut wrong = Vec::new();
    for case in &cases {
        let source = fs::read(case.join("Dockerfile")).expect("each case has a Dockerfile");
        let found = match Dockerfile::parse(&source) {
            Ok(dockerfile) => outline::outline(&dockerfile, &source),
            Err(errors) => {
                let rendered: Vec<String> =
                    errors.iter().map(|error| error.render(&source, "Dockerfile")).collect();
                rendered.join("\n")
            }
        };
        let expected = fs::read_to_string(case.join("expected")).unwrap_or_default();
        if found == expected {
            continue;
        }
        if update {
            fs::write(case.join("expected"), &found).expect("the case can be written");
        } else {
            wrong.push(format!("{}\n--- expected\n{expected}--- found\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
