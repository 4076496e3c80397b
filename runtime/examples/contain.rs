//! Runs containers that are described in JSON on standard input, all at once, and says in JSON on standard output how
//! each of them ended.
//!
//! `contain [auto|root|many|single] [SIGNAL|kill]`: the mode to take, and what is sent to a container when it has written
//! its first line. What a container wrote is part of the answer when its streams are pipes or a terminal; its standard
//! input is closed at once.

use std::io::{self, Read, Write};
use std::thread;

use serde_json::{Value, json};
use tug_runtime::{Container, Error, ModePreference, Runtime, Status, enter, run_init_if_asked};

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
    let containers: Vec<Container> = serde_json::from_str(&text)?;
    let answers: Vec<Value> = match mode {
        Ok(mode) => {
            let runtime = Runtime::new(mode);
            thread::scope(|scope| {
                let runs: Vec<_> = containers
                    .iter()
                    .map(|container| {
                        scope.spawn(|| run(container, &runtime).unwrap_or_else(|error| failure(&error)))
                    })
                    .collect();
                runs.into_iter().map(|run| run.join().unwrap_or(Value::Null)).collect()
            })
        }
        Err(error) => containers.iter().map(|_| failure(&error)).collect(),
    };
    writeln!(io::stdout(), "{}", Value::from(answers))
}

fn run(container: &Container, runtime: &Runtime) -> Result<Value, Error> {
    let mut running = container.start(runtime)?;
    drop(running.take_stdin());
    if container.process.terminal {
        running.remote().resize(40, 100)?;
    }
    let (remote, killer) = (running.remote(), running.killer());
    let stdout = running.take_stdout().or_else(|| running.take_terminal()).map(|mut stdout| {
        let mut first = Vec::new();
        if let Some(what) = std::env::args().nth(2) {
            first = first_line(&mut stdout);
            match what.parse() {
                Ok(signal) => drop(remote.signal(signal)),
                Err(_) => killer.kill(),
            }
        }
        collect(stdout, first)
    });
    let stderr = running.take_stderr().map(|stderr| collect(stderr, Vec::new()));
    let exited = running.wait()?;
    let text = |reader: Option<thread::JoinHandle<Vec<u8>>>| {
        reader.and_then(|reader| reader.join().ok()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let owners: Vec<_> =
        exited.owners.records.iter().map(|owner| (owner.inode, owner.uid, owner.gid)).collect();
    let signal = match exited.status {
        Status::Code(_) => None,
        Status::Signal(signal) => Some(signal),
    };
    Ok(json!({
        "mode": format!("{:?}", runtime.mode()),
        "exit_code": exited.status.exit_code(),
        "signal": signal,
        "out_of_memory": exited.out_of_memory,
        "owners": owners,
        "warnings": exited.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "stdout": text(stdout).unwrap_or_default(),
        "stderr": text(stderr).unwrap_or_default(),
    }))
}

fn failure(error: &Error) -> Value {
    json!({
        "error": error.to_string(),
        "cause": std::error::Error::source(error).map(ToString::to_string),
        "hint": error.hint(),
        "exit_code": error.exit_code(),
    })
}

fn first_line(file: &mut std::fs::File) -> Vec<u8> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") && matches!(file.read(&mut byte), Ok(1)) {
        line.push(byte[0]);
    }
    line
}

/// Reads until the end, or until the terminal is gone.
fn collect(mut file: std::fs::File, mut bytes: Vec<u8>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let _ = file.read_to_end(&mut bytes);
        bytes
    })
}
