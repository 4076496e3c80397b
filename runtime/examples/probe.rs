//! Prints what this host can do: `probe [STORE]`.

use std::io::{self, Write};

use tug_runtime::{Outcome, probe, run_init_if_asked};

fn main() -> io::Result<()> {
    run_init_if_asked();
    let store = std::env::args().nth(1).unwrap_or_else(|| "/tmp".to_owned());
    let mut out = io::stdout();
    for check in probe(store.as_ref()) {
        let mark = match check.outcome {
            Outcome::Ok => "ok",
            Outcome::Degraded => "degraded",
            Outcome::Missing => "MISSING",
        };
        writeln!(out, "{mark:9} {}: {}\n          why: {}", check.name, check.found, check.why)?;
        if let Some(remedy) = check.remedy {
            writeln!(out, "          remedy: {remedy}")?;
        }
    }
    Ok(())
}
