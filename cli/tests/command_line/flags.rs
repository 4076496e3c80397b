//! The flags of `tug build` about steps and images: what they do, what they refuse, and what is said of those that do
//! nothing.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tug_testdata::bases;
use tug_testdata::place::Place;

use crate::tug::Tug;

/// What a build with `flags` of this Dockerfile says; nothing of it takes time.
fn built(tug: &Tug, flags: &[&str]) -> String {
    tug.run(&[&["build", "--progress", "plain"], flags, &["app"]].concat())
}

/// The configuration of an image.
fn config(tug: &Tug, name: &str) -> Value {
    let all: Value = serde_json::from_str(&tug.data(&["inspect", name])).expect("inspect writes JSON");
    all[0].clone()
}

#[test]
fn wrong_values_are_named_and_mended() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch AS one\nFROM one AS two\n");
    let mut shown = String::new();
    for flags in [
        &["--add-host", "docker"][..],
        &["--add-host", "docker:example.com"],
        &["--ulimit", "nofiles=1"],
        &["--ulimit", "nofile=2:1"],
        &["--shm-size", "much"],
        &["--memory-swap", "1g"],
        &["-m", "2g", "--memory-swap", "1g"],
        &["--cpu-period", "1"],
        &["--cpuset-cpus", "3-1"],
        &["--resource", "memry=1g"],
        &["-m", "1g", "--resource", "memory=2g"],
        &["--cgroup-parent", "../../up"],
        &["--cap-add", "NET_ADMN"],
        &["--cap-add", "CHOWN", "--cap-drop", "CHOWN"],
        &["--security-opt", "seccomp=strict.json"],
        &["--security-opt", "secomp=unconfined"],
        &["--volume", "data:/x"],
        &["--volume", "/no/such/folder:/x"],
        &["--volume", "/tmp:/x:rx"],
        &["--device", "gpu"],
        &["--device", "/dev/no-such-device"],
        &["--dns", "dns.example.com"],
        &["--dns", "none", "--dns", "1.1.1.1"],
        &["--no-hosts", "--add-host", "a:1.1.1.1"],
        &["--allow", "security.insecur"],
        &["--allow", "everything"],
        &["--group-add", "wheel"],
        &["--no-cache-filter", "tow"],
        &["--no-cache", "--no-cache-filter", "two"],
        &["--pull=sometimes"],
        &["--isolation", "hyperv"],
        &["--isolation", "none"],
        &["--format", "squashfs"],
        &["--provenance=mode=max"],
        &["--sbom"],
        &["--stdin"],
        &["--cpp-flag=-DX"],
        &["--manifest", "list"],
        &["--layers=maybe"],
        &["--compat-volumes"],
        &["--ignorefile", "missing"],
        &["--build-arg-file", "missing"],
        &["--logfile", "missing/log"],
        &["-f", "app/Dockerfile", "-f", "missing"],
        &["-f", "-", "-f", "-"],
    ] {
        shown += &format!(
            "$ tug build {}\n{}\n",
            flags.join(" "),
            tug.run(&[&["build"], flags, &["app"]].concat())
        );
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn what_has_no_effect_is_said_once() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\n");
    let flags = [
        "--creds=me:secret",
        "--tls-verify=false",
        "--retry=3",
        "--builder=mine",
        "--userns=host",
        "--runtime=crun",
        "--layers=false",
        "--format=docker",
        "--compress",
        "--identity-label",
        "--skip-unused-stages=false",
        "--allow=fs.read=/",
        "--security-opt=label=disable",
        // These ask for what is done anyway.
        "--rm",
        "--force-rm",
        "--layers",
        "--format=oci",
        "--isolation=oci",
        "--provenance=false",
        "--attest=type=sbom,disabled=true",
        "--sbom=false",
    ];
    let shown = built(&tug, &flags);
    let warnings: Vec<&str> = shown.lines().filter(|line| line.starts_with("warning")).collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
    warning: `--builder` has no effect: there are no builders to choose from: this process builds
    warning: `--compress` has no effect: the context is read where it lies, and never sent
    warning: `--format` has no effect: the store keeps images as OCI has them, with HEALTHCHECK, SHELL and ONBUILD: `tug save` writes what docker loads
    warning: `--identity-label` has no effect: tug adds no label of its own: `--label` adds yours
    warning: `--layers=false` has no effect: each step makes a layer of its own: `--squash` makes one of them all
    warning: `--retry` has no effect: what may pass is tried again anyway, as often as makes sense
    warning: `--runtime`, `--userns` have no effect: steps run in namespaces that tug makes by itself: `tug doctor` shows how
    warning: `--skip-unused-stages=false` has no effect: only what the target needs is built: `--target` names another one
    warning: `--allow fs.read=/` has no effect: tug reads and writes what the command line names
    warning: `--security-opt label=disable` has no effect: steps are held by namespaces and a system call filter, not by labels and profiles
    ");
    assert!(!shown.contains("secret") && shown.contains("Built "), "{shown}");
}

#[test]
fn an_image_is_changed_from_outside() {
    let tug = Tug::new().with("GIVEN", "outside");
    tug.image(&["base", "other"]);
    tug.write("app/Dockerfile", "FROM no-such-image\nENV A=file B=file\nLABEL kept=1\n");
    let image = |flags: &[&str]| {
        let all = [&["build", "-q", "-t", "app", "--from", "base"], flags, &["app"]].concat();
        tug.data(&all);
        config(&tug, "app")
    };
    let plain = image(&[]);
    assert_eq!(plain["Config"]["Labels"], serde_json::json!({ "version": "1.2", "kept": "1" }));
    let changed = image(&["--env", "A=flag", "--env", "GIVEN", "--env", "UNKNOWN", "--unsetenv", "B"]);
    let env: Vec<&str> =
        changed["Config"]["Env"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(env, ["PATH=/bin", "NAME=base", "A=flag", "GIVEN=outside"]);
    assert_eq!(image(&["--unsetlabel", "version"])["Config"]["Labels"], serde_json::json!({ "kept": "1" }));
    let labels = &image(&["--inherit-labels=false", "--label", "version=2"])["Config"]["Labels"];
    assert_eq!(*labels, serde_json::json!({ "kept": "1", "version": "2" }));
    assert!(tug.data(&["history", "-q", "app"]).lines().count() > 1);
    image(&["--omit-history"]);
    assert_eq!(tug.data(&["history", "-q", "app"]).lines().count(), 1, "the image itself");
}

#[test]
fn arguments_and_rules_come_from_files() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\nARG A\nARG B=none\nLABEL a=$A b=$B\nCOPY . /\n");
    tug.write("app/.dockerignore", "*\n");
    tug.write("app/kept", "kept");
    tug.write("app/left", "left");
    tug.write("rules", "left\nDockerfile\n.dockerignore\n");
    tug.write("arguments", "# comment\nA=file\nB=file\n");
    let flags = ["build", "-q", "-t", "app", "--build-arg-file", "arguments", "--build-arg", "B=flag"];
    tug.data(&[&flags[..], &["--ignorefile", "rules", "app"]].concat());
    assert_eq!(config(&tug, "app")["Config"]["Labels"], serde_json::json!({ "a": "file", "b": "flag" }));
    tug.data(&["export", "app", "-o", "app.tar"]);
    let tar = String::from_utf8_lossy(&fs::read(tug.path("app.tar")).unwrap()).into_owned();
    assert!(tar.contains("kept") && !tar.contains("left"));
}

#[test]
fn several_dockerfiles_are_one() {
    let tug = Tug::new();
    tug.write("app/a", "FROM scratch AS one\nLABEL a=1");
    tug.write("app/b", "FROM one\nLABEL b=2\n");
    tug.data(&["build", "-q", "-t", "app", "-f", "app/a", "-f", "b", "app"]);
    assert_eq!(config(&tug, "app")["Config"]["Labels"], serde_json::json!({ "a": "1", "b": "2" }));
    tug.write("app/b", "FROM oen\n");
    insta::assert_snapshot!(tug.run(&["build", "-q", "-f", "app/a", "-f", "b", "app"]), @"
    exit code 1
    --- stderr
    error: no image `oen:latest` in the store
     --> app/a + b:3:6
      |
    3 | FROM oen
      |      ^^^
      |
    help: a stage with a similar name exists: `one`
    ");
}

#[test]
fn a_platform_may_come_in_parts() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\nCOPY . /\n");
    let platform = |flags: &[&str]| {
        tug.data(&[&["build", "-q", "-t", "app"], flags, &["app"]].concat());
        let config = config(&tug, "app");
        format!("{}/{}/{}", config["Os"], config["Architecture"], config["Variant"]).replace('"', "")
    };
    assert_eq!(platform(&["--arch", "arm", "--variant", "v6"]), "linux/arm/v6");
    assert_eq!(platform(&["--os", "linux", "--arch", "s390x"]), "linux/s390x/");
    let both = tug.run(&["build", "--arch", "arm", "--platform", "linux/arm", "app"]);
    assert!(both.starts_with("exit code 2") && both.contains("does not go together with"), "{both}");
    let alone = tug.run(&["build", "--variant", "v6", "app"]);
    assert!(alone.starts_with("exit code 2") && alone.contains("`--arch` is missing"), "{alone}");
}

#[test]
fn the_log_goes_to_a_file_and_the_terminal_stays_quiet() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let shown = tug.run(&["build", "--logfile", "log", "--builder", "x", "app"]);
    assert!(
        shown.starts_with("exit code 0\n--- stdout\nsha256:") && !shown.contains("--- stderr"),
        "{shown}"
    );
    let log = fs::read_to_string(tug.path("log")).unwrap();
    assert!(log.starts_with("warning: `--builder` has no effect"), "{log}");
    assert!(log.contains("#1 [1/1] COPY Dockerfile /\n#1 DONE "), "{log}");
}

#[test]
#[ignore = "needs root, busybox"]
fn steps_get_what_the_flags_say_needs_root_needs_busybox() {
    let tug = Tug::new().with("http_proxy", "http://proxy.example");
    tug.base();
    tug.write("data/file", "of the host\n");
    let sees = |flags: &[&str], script: &str| {
        tug.write("app/Dockerfile", format!("FROM base\nRUN {script}\n"));
        let shown = tug.run(&[&["build", "--progress", "plain", "--no-cache"], flags, &["app"]].concat());
        assert!(shown.starts_with("exit code 0"), "{shown}");
        let lines = shown.lines().filter_map(|line| line.strip_prefix("#2 ")?.split_once(' '));
        let lines = lines.filter(|(time, _)| time.parse::<f64>().is_ok()).map(|(_, text)| text.to_owned());
        lines.collect::<Vec<_>>().join("\n")
    };
    let hosts =
        ["--add-host", "a.b:10.1.2.3", "--add-host", "me=host-gateway", "--add-host", "six=[2001:db8::1]"];
    assert_eq!(sees(&hosts, "tail -n 3 /etc/hosts"), "10.1.2.3\ta.b\n127.0.0.1\tme\n2001:db8::1\tsix");
    assert_eq!(sees(&["--no-hosts"], "test -s /etc/hosts || echo own"), "own");
    let dns =
        ["--dns", "192.0.2.1", "--dns-search", "a.example", "--dns-search=b.example", "--dns-option=ndots:2"];
    assert_eq!(
        sees(&dns, "cat /etc/resolv.conf"),
        "nameserver 192.0.2.1\nsearch a.example b.example\noptions ndots:2"
    );
    assert_eq!(sees(&["--dns", "none"], "test -s /etc/resolv.conf || echo own"), "own");
    assert_eq!(sees(&["--shm-size", "1m"], "df -k /dev/shm | tail -n 1 | awk '{ print $2 }'"), "1024");
    assert_eq!(sees(&["--ulimit", "nofile=77:99"], "ulimit -Sn; ulimit -Hn"), "77\n99");
    assert_eq!(sees(&["--group-add", "77"], "id -G"), "0 77");
    let effective = "grep CapEff /proc/self/status | cut -f 2";
    assert_eq!(sees(&["--cap-drop", "all", "--cap-add", "chown"], effective), "0000000000000001");
    assert_eq!(
        sees(&["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status | cut -f 2"),
        "0"
    );
    assert_eq!(
        sees(&["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status | cut -f 2"),
        "1"
    );
    assert_eq!(sees(&[], "echo $http_proxy"), "http://proxy.example");
    assert_eq!(sees(&["--http-proxy=false"], "echo none: $http_proxy"), "none:");
    assert_eq!(
        sees(&["--device", "/dev/null:/dev/nothing"], "echo x > /dev/nothing && echo written"),
        "written"
    );

    let touch = "cat /in/file; touch /in/new 2> /dev/null && echo written";
    assert_eq!(sees(&["-v", "./data:/in:O,z"], touch), "of the host\nwritten");
    assert!(!tug.path("data/new").exists(), "what is written to it is thrown away");
    assert_eq!(sees(&["-v", "./data:/in:ro"], &format!("{touch} || echo refused")), "of the host\nrefused");
    assert_eq!(sees(&["-v", "./data:/in:Z"], touch), "of the host\nwritten");
    assert!(tug.path("data/new").exists());
    let owners = "USER 1000:1001\nRUN stat -c %u:%g /in /in/file";
    assert_eq!(sees(&["-v", "./data:/in:U"], &format!("true\n{owners}")), "");
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(tug.path("data/file")).unwrap();
    assert_eq!((found.uid(), found.gid()), (1000, 1001), "the last step is that of another user");
}

#[test]
#[ignore = "needs root, busybox"]
fn privileges_are_refused_where_they_are_written_unless_allowed_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write("app/Dockerfile", "FROM base\nRUN --network=host --security=insecure true\n");
    insta::assert_snapshot!(tug.run(&["build", "-q", "--network", "none", "app"]), @"
    exit code 1
    --- stderr
    error: the network of the host is not allowed in this build
     --> Dockerfile:2:5
      |
    2 | RUN --network=host --security=insecure true
      |     ^^^^^^^^^^^^^^ the build was told to have no network
      |
    help: allow it with `--allow network.host`

    error: a step with every privilege is not allowed in this build
     --> Dockerfile:2:20
      |
    2 | RUN --network=host --security=insecure true
      |                    ^^^^^^^^^^^^^^^^^^^ it could do to this machine what you can
      |
    help: if you trust this Dockerfile, allow it with `--allow security.insecure`
    ");
    let allowed =
        ["build", "-q", "--network", "none", "--allow", "network.host", "--allow=security.insecure", "app"];
    assert!(tug.data(&allowed).starts_with("sha256:"));
}

#[test]
#[ignore = "needs root, busybox"]
fn stages_run_again_when_they_are_named_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    // The same step in both stages.
    let step = "RUN cat /proc/sys/kernel/random/uuid > /id";
    tug.write(
        "app/Dockerfile",
        format!("FROM base AS a\n{step}\nFROM base AS b\n{step}\nCOPY --from=a /id /a\n"),
    );
    let ids = |flags: &[&str]| {
        tug.data(&[&["build", "-q", "-t", "app"], flags, &["app"]].concat());
        let shown = tug.data(&["run", "--rm", "app", "cat", "/a", "/id"]);
        let mut lines = shown.lines().map(str::to_owned);
        (lines.next().unwrap(), lines.next().unwrap())
    };
    let first = ids(&[]);
    assert_eq!(first.0, first.1, "equal steps are one");
    let again = ids(&["--no-cache-filter", "B"]);
    assert_eq!(again.0, first.0, "the other stage is known");
    assert_ne!(again.1, first.1);
}

#[test]
#[ignore = "needs root, busybox"]
fn volumes_of_the_image_are_there_in_a_container_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write("data/file", "x");
    tug.write("app/Dockerfile", "FROM base\nVOLUME /var/lib/app /etc\n");
    tug.data(&["build", "-q", "-t", "app", "app"]);
    assert_eq!(tug.data(&["run", "app", "sh", "-c", "cd /var/lib/app && touch x && ls"]), "x\n");
    let words = ["run", "-v", "./data:/in:O", "app", "sh", "-c", "rm /in/file; ls /in | wc -l"];
    assert_eq!(tug.data(&words).trim(), "0");
    assert!(tug.path("data/file").exists());
}

#[test]
#[ignore = "needs users, busybox"]
fn ordinary_users_have_the_same_flags_needs_users_needs_busybox() {
    for place in [Place::UserWithManyIds, Place::UserWithOneId] {
        let home = place.home();
        let program = home.bring(Path::new(env!("CARGO_BIN_EXE_tug")));
        fs::copy(bases::busybox(), home.path().join("base.tar")).unwrap();
        fs::create_dir(home.path().join("app")).unwrap();
        let script = "FROM base\nRUN grep CapEff /proc/self/status; tail -n 1 /etc/hosts; ulimit -n; touch /in/x; \
                      echo x > /dev/nothing && echo written\n\
                      RUN --security=insecure grep Seccomp: /proc/self/status; test -w /proc/sys && echo open\n";
        fs::write(home.path().join("app/Dockerfile"), script).unwrap();
        fs::create_dir(home.path().join("app/data")).unwrap();
        let tug = |words: &[&str]| {
            let mut command = place.command(&program);
            command.args(["--store", "store"]).args(words).current_dir(home.path());
            let output = command.stdin(Stdio::null()).output().unwrap();
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        assert_eq!(tug(&["import", "base.tar", "base"]).0, Some(0), "{place:?}");
        let flags = ["build", "--progress", "plain", "--network", "none", "--add-host", "a:10.0.0.1"];
        let more = ["--cap-drop", "all", "--ulimit", "nofile=88", "-v", "./app/data:/in:O", "--device"];
        let last = ["/dev/null:/dev/nothing", "--allow", "security.insecure", "app"];
        let (code, shown) = tug(&[&flags[..], &more, &last].concat());
        assert_eq!(code, Some(0), "{place:?}: {shown}");
        for part in ["CapEff:\t0000000000000000\n", "10.0.0.1\ta\n", " 88\n", " written\n", " open\n"] {
            assert!(shown.contains(part), "{place:?}: {part:?} in {shown}");
        }
        assert!(!home.path().join("app/data/x").exists());
    }
}
