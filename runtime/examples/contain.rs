//! Runs one container that is described in JSON on standard input, and says in JSON on standard output how it ended.
//!
//! `contain [auto|root|many|single]`: the mode to take. The container's own output is part of the answer when its
//! streams are pipes; its standard input is closed at once.

use std::io::{self, Read, Write};
use std::thread;

use tug_runtime::{Container, Mode, ModePreference, Runtime, Status, enter, run_init_if_asked};

fn main() -> io::Result<()> {
    run_init_if_asked();
    let preference = match std::env::args().nth(1).as_deref() {
        Some("root") => ModePreference::Root,
        Some("many") => ModePreference::ManyIds,
        Some("single") => ModePreference::SingleId,
        _ => ModePreference::Auto,
    };
    let mode = enter(preference);
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let container: Container = serde_json::from_str(&text)?;
    let answer = match mode.and_then(|mode| run(&container, mode)) {
        Ok(answer) => answer,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            serde_json::json!({
                "error": error.to_string(),
                "cause": cause,
                "hint": error.hint(),
                "exit_code": error.exit_code(),
            })
        }
    };
    writeln!(io::stdout(), "{answer}")
}

fn run(container: &Container, mode: Mode) -> Result<serde_json::Value, tug_runtime::Error> {
    let runtime = Runtime::new(mode);
    let mut running = container.start(&runtime)?;
    drop(running.take_stdin());
    let stdout = running.take_stdout().or_else(|| running.take_terminal()).map(collect);
    let stderr = running.take_stderr().map(collect);
    let exited = running.wait()?;
    let text = |reader: Option<thread::JoinHandle<Vec<u8>>>| {
        reader.and_then(|reader| reader.join().ok()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let owners: Vec<_> =
        exited.owners.records.iter().map(|owner| (owner.inode, owner.uid, owner.gid)).collect();
    Ok(serde_json::json!({
        "mode": format!("{mode:?}"),
        "status": match exited.status {
            Status::Code(code) => serde_json::json!({ "code": code }),
            Status::Signal(signal) => serde_json::json!({ "signal": signal }),
        },
        "exit_code": exited.status.exit_code(),
        "out_of_memory": exited.out_of_memory,
        "owners": owners,
        "warnings": exited.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "stdout": text(stdout),
        "stderr": text(stderr),
    }))
}

/// Reads until the end, or until the terminal is gone.
fn collect(mut file: std::fs::File) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = file.read_to_end(&mut bytes);
        bytes
    })
}
