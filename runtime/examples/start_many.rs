//! Measures what starting a container costs: `start_many ROOTFS UPPER WORK [COUNT]` runs `/bin/true` that often, one
//! after the other, and prints the median and the fastest in microseconds.

use std::io::{self, Write};
use std::time::Instant;

use tug_runtime::{Container, ModePreference, Process, Root, Runtime, Stdio, enter, run_init_if_asked};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run_init_if_asked();
    let mode = enter(ModePreference::Auto)?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [rootfs, upper, work, rest @ ..] = args.as_slice() else {
        return Err("usage: start_many ROOTFS UPPER WORK [COUNT]".into());
    };
    let count = rest.first().map_or(Ok(100), |count| count.parse::<usize>())?;
    let root = Root {
        lower: vec![std::path::PathBuf::from(rootfs).into()],
        upper: Some(upper.into()),
        work: Some(work.into()),
        read_only: false,
    };
    let process = Process { args: vec!["/bin/true".into()], ..Process::default() };
    let mut container = Container::new(root, process);
    container.stdio = Stdio::NULL;

    let runtime = Runtime::new(mode);
    let before = Instant::now();
    runtime.prepare()?;
    let prepared = before.elapsed().as_micros();
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let before = Instant::now();
        container.start(&runtime)?.wait()?;
        times.push(before.elapsed().as_micros());
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    writeln!(io::stdout(), "{mode:?}: prepare {prepared} µs, median {median} µs, fastest {} µs", times[0])?;
    Ok(())
}
