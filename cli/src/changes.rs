//! `--change`: instructions of the Dockerfile language that change a config.

use std::time::Duration;

use tug_dockerfile::{
    Command, Escape, ExposedPorts, Healthcheck as Written, InstructionKind, StopSignal, Word, expand,
    parse_instruction,
};
use tug_oci::{Empty, Healthcheck, RunConfig};

use crate::error::CommandError;

/// What does not change the config, but the files.
const KNOWN: &str =
    "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR";

/// Applies the instruction `text` to `config`.
pub(crate) fn apply(config: &mut RunConfig, text: &str) -> Result<(), CommandError> {
    let wrong =
        |problem: &dyn std::fmt::Display| CommandError::usage(format_args!("`--change {text}`: {problem}"));
    let keyword = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let refused = |name: &str| {
        wrong(&format!("`{name}` changes more than the config")).hint(format!("what can be changed: {KNOWN}"))
    };
    if matches!(keyword.as_str(), "FROM" | "MAINTAINER") {
        return Err(refused(&keyword));
    }
    let parsed = |text: &str| {
        parse_instruction(text).map_err(|error| {
            let made = wrong(&error.message());
            match error.hint() {
                Some(hint) => made.hint(hint),
                None => made,
            }
        })
    };
    if keyword == "ONBUILD" {
        let later = text.trim_start()[keyword.len()..].trim();
        if let "ONBUILD" | "FROM" | "MAINTAINER" = &*parsed(later)?.kind.name().to_ascii_uppercase() {
            return Err(wrong(&format!("`{later}` cannot be done later")));
        }
        config.on_build.push(later.to_owned());
        return Ok(());
    }
    let instruction = parsed(text)?;
    let env = config.env.clone();
    let value = |word: &Word| value(word, &env).map_err(|error| wrong(&error));
    match &instruction.kind {
        InstructionKind::Env(pairs) => {
            for pair in &pairs.entries {
                set_variable(&mut config.env, &value(&pair.key)?, &value(&pair.value)?);
            }
        }
        InstructionKind::Label(pairs) => {
            for pair in &pairs.entries {
                config.labels.insert(value(&pair.key)?, value(&pair.value)?);
            }
        }
        InstructionKind::Cmd(command) => config.cmd = Some(arguments(command, config.shell.as_deref())),
        InstructionKind::Entrypoint(command) => {
            config.entrypoint = Some(arguments(command, config.shell.as_deref()));
        }
        InstructionKind::Shell(shell) => config.shell = Some(shell.clone()),
        InstructionKind::User(word) => config.user = value(word)?,
        InstructionKind::Workdir(word) => {
            config.working_dir = folder(&config.working_dir, &value(word)?);
        }
        InstructionKind::Expose(words) => {
            for word in words {
                let ports = ExposedPorts::parse(&value(word)?).map_err(|error| wrong(&error))?;
                config.exposed_ports.extend(ports.entries().map(|port| (port, Empty {})));
            }
        }
        InstructionKind::Volume(words) => {
            for word in words {
                config.volumes.insert(value(word)?, Empty {});
            }
        }
        InstructionKind::StopSignal(word) => {
            let signal = value(word)?;
            StopSignal::parse(&signal).map_err(|error| wrong(&error))?;
            config.stop_signal = Some(signal);
        }
        InstructionKind::Healthcheck(written) => config.healthcheck = Some(healthcheck(written)),
        other => return Err(refused(other.name())),
    }
    Ok(())
}

fn value(word: &Word, env: &[String]) -> Result<String, tug_dockerfile::ExpandError> {
    let lookup = |name: &str| {
        env.iter().find_map(|entry| Some(entry.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    };
    Ok(expand(&word.raw, Escape::default(), &lookup)?.text)
}

/// A working directory, seen from the one before.
pub(crate) fn folder(before: &str, folder: &str) -> String {
    let base = if before.is_empty() { "/" } else { before };
    match folder.starts_with('/') {
        true => folder.to_owned(),
        false => format!("{}/{folder}", base.trim_end_matches('/')),
    }
}

/// Gives a variable a value, in its place if it is there.
pub(crate) fn set_variable(env: &mut Vec<String>, name: &str, value: &str) {
    let entry = format!("{name}={value}");
    match env.iter_mut().find(|entry| entry.split('=').next() == Some(name)) {
        Some(old) => *old = entry,
        None => env.push(entry),
    }
}

fn arguments(command: &Command, shell: Option<&[String]>) -> Vec<String> {
    match command {
        Command::Exec(arguments) => arguments.clone(),
        Command::Shell(line) => {
            let default = ["/bin/sh".to_owned(), "-c".to_owned()];
            let shell = shell.unwrap_or(&default);
            shell.iter().cloned().chain([line.clone()]).collect()
        }
    }
}

/// The check that a HEALTHCHECK says.
pub(crate) fn healthcheck(written: &Written) -> Healthcheck {
    let Written::Probe(probe) = written else {
        return Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() };
    };
    let test = match &probe.command {
        Command::Exec(arguments) => ["CMD".to_owned()].into_iter().chain(arguments.iter().cloned()).collect(),
        Command::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
    };
    let nanoseconds = |duration: Option<Duration>| {
        duration.map_or(0, |duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    };
    Healthcheck {
        test,
        interval: nanoseconds(probe.interval),
        timeout: nanoseconds(probe.timeout),
        start_period: nanoseconds(probe.start_period),
        start_interval: nanoseconds(probe.start_interval),
        retries: i64::from(probe.retries.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Stream;

    #[test]
    fn instructions_change_the_config_as_in_a_dockerfile() {
        let mut config = RunConfig::default();
        for change in [
            "ENV PATH=/bin HOME=/root",
            "ENV PATH=$PATH:/opt/bin",
            "LABEL version=\"1 2\"",
            "WORKDIR /srv",
            "WORKDIR app",
            "USER 1000:1000",
            "EXPOSE 80 53/udp",
            "VOLUME /data",
            "SHELL [\"/bin/bash\", \"-c\"]",
            "CMD serve --all",
            "ENTRYPOINT [\"/entry\"]",
            "STOPSIGNAL SIGINT",
            "onbuild RUN make $TARGET",
            "HEALTHCHECK --interval=5s CMD true",
        ] {
            apply(&mut config, change).unwrap_or_else(|error| panic!("{}", error.text(Stream::default())));
        }
        insta::assert_snapshot!(serde_json::to_string_pretty(&config).unwrap(), @r#"
        {
          "User": "1000:1000",
          "ExposedPorts": {
            "53/udp": {},
            "80/tcp": {}
          },
          "Env": [
            "PATH=/bin:/opt/bin",
            "HOME=/root"
          ],
          "Entrypoint": [
            "/entry"
          ],
          "Cmd": [
            "/bin/bash",
            "-c",
            "serve --all"
          ],
          "Healthcheck": {
            "Test": [
              "CMD-SHELL",
              "true"
            ],
            "Interval": 5000000000
          },
          "Volumes": {
            "/data": {}
          },
          "WorkingDir": "/srv/app",
          "OnBuild": [
            "RUN make $TARGET"
          ],
          "Labels": {
            "version": "1 2"
          },
          "StopSignal": "SIGINT",
          "Shell": [
            "/bin/bash",
            "-c"
          ]
        }
        "#);
    }

    #[test]
    fn what_changes_files_is_refused() {
        let mut config = RunConfig::default();
        let mut shown = |change: &str| apply(&mut config, change).unwrap_err().text(Stream::default());
        insta::assert_snapshot!(shown("RUN make"), @"
        error: `--change RUN make`: `RUN` changes more than the config

        hint: what can be changed: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR
        ");
        insta::assert_snapshot!(shown("EVN A=b"), @"
        error: `--change EVN A=b`: unknown instruction `EVN`

        hint: did you mean `ENV`?
        ");
        insta::assert_snapshot!(shown("FROM scratch"), @"
        error: `--change FROM scratch`: `FROM` changes more than the config

        hint: what can be changed: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR
        ");
        insta::assert_snapshot!(shown("ONBUILD ONBUILD RUN x"), @"error: `--change ONBUILD ONBUILD RUN x`: `ONBUILD` cannot be an `ONBUILD` trigger");
        insta::assert_snapshot!(shown("EXPOSE x"), @"error: `--change EXPOSE x`: `x` is not a port");
    }
}
