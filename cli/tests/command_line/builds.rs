//! Past builds: what `builds`, `log`, `explain` and `debug` say of them, and what they say to wrong words.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::tug::{Tug, timeless};

/// A project of two steps without RUN.
fn project() -> Tug {
    let tug = Tug::new().with("SOURCE_DATE_EPOCH", "1700000000");
    tug.write(
        "app/Dockerfile",
        "FROM scratch AS files\nCOPY src /src\nFROM scratch\nCOPY --from=files /src /\n",
    );
    tug.write("app/src/one.txt", "1");
    tug
}

/// What a command shows, with the names of builds, days and durations replaced.
fn shown(tug: &Tug, words: &[&str]) -> String {
    let text = tug.run_timeless(words);
    let is_day = |word: &str| word.len() == 10 && word.matches('-').count() == 2;
    let is_time = |word: &str| word.len() == 8 && word.matches(':').count() == 2;
    let words = text.split_inclusive([' ', '\n']).map(|piece| match piece.trim_end() {
        word if is_day(word) => piece.replace(word, "[DAY]"),
        word if is_time(word) => piece.replace(word, "[TIME]"),
        _ => piece.to_owned(),
    });
    words.collect()
}

#[test]
fn past_builds_are_listed_the_newest_first() {
    let tug = project();
    tug.data(&["build", "-q", "-t", "app", "app"]);
    tug.data(&["build", "-q", "-t", "app", "-t", "other:1", "app"]);
    tug.write("app/broken", "FROM scratch\nCOPPY a b\n");
    tug.run(&["build", "-q", "-f", "app/broken", "app"]);
    let columns = "{{.Status}} {{.Cached}} {{.Name}} {{.Dockerfile}} {{.Error}}";
    insta::assert_snapshot!(tug.data(&["builds", "--format", columns]), @"
    failed 0/0 <none> app/broken unknown instruction `COPPY`
    done 2/2 app:latest, other:1 Dockerfile 
    done 0/2 app:latest Dockerfile 
    ");
    let ids = tug.data(&["builds", "-q"]);
    let listed = |words: &[&str]| tug.data(&[&["builds", "-q"], words].concat());
    let lines: Vec<&str> = ids.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.is_sorted_by(|newer, older| newer > older), "{ids}");
    assert_eq!(listed(&["--filter", "status=failed"]).trim(), lines[0]);
    assert_eq!(listed(&["--filter", "name=other"]).trim(), lines[1]);
    assert_eq!(listed(&["--filter", "name=app", "--filter", "status=running"]), "");
    assert_eq!(listed(&["-n", "2"]).lines().count(), 2);
    let table = tug.data(&["builds"]);
    assert!(table.starts_with("BUILD "), "{table}");
    let data: Value = serde_json::from_str(&tug.data(&["builds", "--format", "json"])).unwrap();
    assert_eq!(data[1]["units"][0]["tags"], serde_json::json!(["app:latest", "other:1"]));
    assert_eq!(
        (&data[0]["status"], &data[0]["error"]["place"]),
        (&"failed".into(), &"app/broken:2:1".into())
    );
    insta::assert_snapshot!(tug.run(&["builds", "--filter", "status=fialed"]), @"
    exit code 2
    --- stderr
    error: a build is never `fialed`: expected one of `done`, `failed`, `running`, `cancelled`, `killed`

    hint: this is about `--filter`
    ");
    insta::assert_snapshot!(tug.run(&["builds", "--filter", "broken"]), @"
    exit code 2
    --- stderr
    error: expected `status=…` or `name=…`

    hint: this is about `--filter`
    ");
}

#[test]
fn records_are_taken_away_and_images_stay() {
    let tug = project();
    for _ in 0..3 {
        tug.data(&["build", "-q", "-t", "app", "app"]);
    }
    let ids = tug.data(&["builds", "-q"]);
    let oldest = ids.lines().last().unwrap();
    assert_eq!(tug.data(&["builds", "rm", oldest]).trim(), oldest);
    insta::assert_snapshot!(timeless(&tug.run(&["builds", "rm", oldest])), @"
    exit code 1
    --- stderr
    error: no build `[BUILD]`

    hint: `tug builds` lists those that are recorded
    ");
    assert_eq!(tug.data(&["builds", "rm", "--all"]).lines().count(), 2);
    assert_eq!(tug.data(&["builds", "-q"]), "");
    insta::assert_snapshot!(tug.run(&["log"]), @"
    exit code 1
    --- stderr
    error: no build is recorded in the store

    hint: `tug build` records each build
    ");
    insta::assert_snapshot!(tug.run(&["builds", "rm"]), @"
    exit code 2
    --- stderr
    error: `BUILD` is missing

    hint: `tug builds --help` lists what it takes
    ");
    assert!(tug.data(&["images", "-q", "app"]).len() > 5);
}

#[test]
fn the_log_of_a_build_is_shown_again() {
    let tug = project();
    tug.data(&["build", "-q", "-t", "app", "app"]);
    insta::assert_snapshot!(shown(&tug, &["log"]), @"
    exit code 0
    --- stdout
    #1 [files 1/1] COPY src /src
    #1 DONE N.Ns

    #2 [stage-1 1/1] COPY --from=files /src /
    #2 DONE N.Ns
    ");
    assert_eq!(tug.run(&["log", "app"]), tug.run(&["log"]));
    insta::assert_snapshot!(shown(&tug, &["log", "1"]), @"
    exit code 0
    --- stderr
    step 1 ran no command
    ");
    insta::assert_snapshot!(shown(&tug, &["log", "app", "files/1"]), @"
    exit code 0
    --- stderr
    step 1 ran no command
    ");
}

#[test]
fn words_that_mean_no_build_or_step_are_mended() {
    let tug = project();
    insta::assert_snapshot!(tug.run(&["explain", "app"]), @"
    exit code 1
    --- stderr
    error: no build `app`

    hint: no build is recorded in the store: `tug build` makes the first
    ");
    tug.data(&["build", "-q", "-t", "app", "app"]);
    tug.data(&["build", "-q", "-t", "app", "app"]);
    for (words, expected) in [
        (&["log", "ap"][..], "hint: did you mean `app`?"),
        (&["log", "something-else"], "hint: `tug builds` lists those that are recorded"),
        (&["log", "../../etc"], "error: no build `../../etc`"),
        (&["log", "20"], "has no step `20`"),
        (&["log", "app", "20"], "hint: its steps are 1 to 2"),
        (&["log", "app", "0"], "hint: its steps are 1 to 2"),
        (&["log", "app", "fils/1"], "hint: did you mean `files/1`?"),
        (&["log", "app", "files/7"], "has no step `files/7`"),
        (&["log", "app", "build"], "hint: name a step by its number"),
        (&["explain", "20"], "error: `20` may be 2 builds\n\nhint: the newest of them: `20"),
    ] {
        let shown = tug.run(words);
        assert!(shown.starts_with("exit code 1\n"), "{words:?}: {shown}");
        assert!(shown.contains(expected), "{words:?}: {shown}");
    }
}

#[test]
fn hits_and_misses_are_explained() {
    let tug = project();
    tug.write("app/src/run.sh", "x");
    let made = tug.run_timeless(&["build", "--progress", "none", "--explain", "-t", "app", "app"]);
    insta::assert_snapshot!(made, @"
    exit code 0
    --- stderr
    STEP   NAME                                     RESULT   TIME   REASON
    #1     [files 1/1] COPY src /src                new      N.Ns   no earlier build of it is known
    #2     [stage-1 1/1] COPY --from=files /src /   new      N.Ns   no earlier build of it is known
    ");
    tug.data(&["build", "-q", "-t", "app", "app"]);
    insta::assert_snapshot!(shown(&tug, &["explain"]), @"
    exit code 0
    --- stdout
    STEP   NAME                                     RESULT   TIME   REASON
    #1     [files 1/1] COPY src /src                hit      -      made by build [BUILD] of [DAY] [TIME] UTC
    #2     [stage-1 1/1] COPY --from=files /src /   hit      -      made by build [BUILD] of [DAY] [TIME] UTC
    ");
    tug.write("app/src/one.txt", "2");
    tug.write("app/src/two.txt", "2");
    std::fs::set_permissions(tug.path("app/src/run.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    tug.data(&["build", "-q", "-t", "app", "app"]);
    insta::assert_snapshot!(shown(&tug, &["explain", "app"]), @"
    exit code 0
    --- stdout
    #1 [files 1/1] COPY src /src
      miss, compared with build [BUILD] of [DAY] [TIME] UTC
      src/one.txt changed
      src/run.sh: `mode 644` → `mode 755`
      src/two.txt is new

    #2 [stage-1 1/1] COPY --from=files /src /
      miss, compared with build [BUILD] of [DAY] [TIME] UTC
      src/one.txt changed
      src/run.sh: `mode 644` → `mode 755`
      src/two.txt is new

    STEP   NAME                                     RESULT   TIME   REASON
    #1     [files 1/1] COPY src /src                miss     N.Ns   src/one.txt changed (and 2 more)
    #2     [stage-1 1/1] COPY --from=files /src /   miss     N.Ns   src/one.txt changed (and 2 more)
    ");
    let data: Value = serde_json::from_str(&tug.data(&["explain", "--format", "json"])).unwrap();
    assert_eq!((&data[0]["result"], &data[0]["step"]), (&"miss".into(), &1.into()));
    assert_eq!(data[0]["changes"][1]["after"], "mode 755");
    assert!(data[0]["since"]["build"].as_str().unwrap().len() == 22, "{data:#}");
}

#[test]
#[ignore = "needs root, busybox"]
fn the_log_of_a_step_is_what_it_wrote_in_its_order_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    let command = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; printf 'no end'; exit 3";
    tug.write("app/Dockerfile", format!("FROM base\nRUN echo first\nRUN {command}\n"));
    let failed = tug.run(&["build", "--network", "none", "--progress", "none", "app"]);
    let build = tug.data(&["builds", "-q"]).trim().to_owned();
    let hint = format!("hint: look around in the state before this step: `tug debug {build} --step 3`\n");
    assert!(failed.ends_with(&hint), "{failed}");
    let log = "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\nno end";
    assert_eq!(tug.data(&["log", "3"]), log);
    assert_eq!(tug.data(&["log", &build, "#3"]), log);
    assert_eq!(tug.data(&["log", &build[16..], "2"]), "first\n");
    let whole = tug.run(&["log", &build[..19]]);
    assert!(whole.contains("#3 [3/3] RUN for i in"), "{whole}");
    assert!(whole.contains("err 3\n") && whole.contains("no end\n#3 ERROR: "), "{whole}");
    assert!(whole.ends_with(" (Dockerfile:3:1)\n"), "{whole}");
}

#[test]
#[ignore = "needs root, busybox"]
fn a_build_that_runs_is_followed_to_its_end_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write("app/Dockerfile", "FROM base\nRUN echo begun && sleep 6543\n");
    let words = ["build", "--network", "none", "--progress", "plain", "app"];
    let mut child = tug.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut stderr, " begun\n");
    assert_eq!(tug.data(&["builds", "--format", "{{.Status}}"]), "running\n");
    assert_eq!(tug.data(&["builds", "rm", "--all"]), "");
    let now = tug.run_timeless(&["log"]);
    assert!(now.ends_with("build [BUILD] is still running; `-f` follows it\n"), "{now}");
    let follow = |words: &[&str]| {
        let mut child = tug.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        wait_for(&mut stdout, "begun\n");
        (child, stdout)
    };
    let followers = [follow(&["log", "-f"]), follow(&["log", "-f", "2"])];
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ends = followers.map(|(mut child, stdout)| {
        let rest: Vec<String> = stdout.lines().map(Result::unwrap).collect();
        assert!(child.wait().unwrap().success());
        rest.join("|")
    });
    assert_eq!(ends, ["#2 CANCELED|", ""]);
    drop(stderr);
    child.wait().unwrap();
    assert_eq!(tug.data(&["builds", "--format", "{{.Status}}"]), "cancelled\n");
}

/// Reads lines until one ends as `end` does.
fn wait_for(reader: &mut impl BufRead, end: &str) {
    let mut line = String::new();
    while !line.ends_with(end) {
        line.clear();
        assert_ne!(reader.read_line(&mut line).expect("it can be read"), 0, "it ended by itself");
    }
}

#[test]
#[ignore = "needs root, busybox"]
fn the_state_around_a_failed_step_can_be_looked_into_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    let dockerfile = "FROM base\nENV GREETING=hello\nWORKDIR /work\nRUN echo one > one\n\
        RUN --mount=type=cache,target=/cache echo two > two && echo kept > /cache/kept && false\nRUN never\n";
    tug.write("app/Dockerfile", dockerfile);
    assert!(tug.run(&["build", "--network", "none", "--progress", "none", "app"]).starts_with("exit code 1"));
    let looked =
        |words: &[&str], script: &str| tug.run(&[&["debug"], words, &["--", "sh", "-c", script]].concat());
    let look = "echo $GREETING; pwd; ls; cat /cache/kept 2>/dev/null || echo no cache";
    assert_eq!(looked(&[], look), "exit code 0\n--- stdout\nhello\n/work\none\nkept\n");
    assert_eq!(looked(&["--after"], look), "exit code 0\n--- stdout\nhello\n/work\none\ntwo\nkept\n");
    assert_eq!(looked(&["--step", "3", "--before"], "ls"), "exit code 0");
    assert_eq!(looked(&["--step", "3"], "ls"), "exit code 0\n--- stdout\none\n");
    assert_eq!(looked(&[], "echo x > one; exit 7"), "exit code 7");
    assert_eq!(
        looked(&[], "cat one; eval \"$TUG_COMMAND\" || cat two"),
        "exit code 0\n--- stdout\none\ntwo\n"
    );
    let never = timeless(&tug.run(&["debug", "--step", "5", "--", "ls"]));
    insta::assert_snapshot!(never, @"
    exit code 1
    --- stderr
    error: the state before step 5 of build `[BUILD]` is not there

    hint: a step below it never ended: name an earlier one with `--step`
    ");
}
