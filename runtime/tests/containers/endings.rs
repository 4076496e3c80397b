//! How containers end, and how that is told.

use std::time::{Duration, Instant};

use tug_runtime::Stdio;

use crate::support::{Place, Who, in_every_mode};

in_every_mode! {
    fn the_exit_code_is_that_of_the_command(place) {
        assert_eq!(place.run(&place.script("exit 3")).exit_code(), 3);
        assert_eq!(place.run(&place.container(&["true"])).exit_code(), 0);
        assert_eq!(place.run(&place.container(&["/bin/false"])).exit_code(), 1);
    }
}

in_every_mode! {
    fn a_command_that_a_signal_killed_says_which(place) {
        let answer = place.run(&place.script("kill -TERM $$"));
        assert_eq!((answer.signal(), answer.exit_code()), (Some(15), 143));
        let mut container = place.script("kill -KILL $$");
        container.init = false;
        // Process 1 cannot kill itself; the script goes on and ends well.
        assert_eq!(place.run(&container).exit_code(), 0);
    }
}

in_every_mode! {
    fn signals_reach_the_command(place) {
        // 37 is a real-time signal.
        for (signal, name) in [("15", "TERM"), ("2", "INT"), ("10", "USR1"), ("37", "37")] {
            for init in [true, false] {
                let script = format!("trap 'echo got; exit 7' {name}; echo ready; while :; do sleep 0.02; done");
                let mut container = place.container(&["sh", "-c", &script]);
                container.init = init;
                let answer = place.run_and_send(&container, signal);
                let seen = (answer.exit_code(), answer.stdout());
                assert_eq!(seen, (7, "ready\ngot\n".to_owned()), "{name} {init}: {answer:?}");
            }
        }
    }
}

in_every_mode! {
    fn a_container_that_is_killed_is_gone_with_all_that_is_in_it(place) {
        for init in [true, false] {
            let mut container = place.container(&["sh", "-c", "trap '' TERM INT; sleep 1000 & echo ready; sleep 1000"]);
            container.init = init;
            let answer = place.run_and_send(&container, "kill");
            assert_eq!((answer.signal(), answer.exit_code(), answer.stdout().as_str()), (Some(9), 137, "ready\n"));
        }
    }
}

in_every_mode! {
    fn a_command_that_is_missing_is_127_and_one_that_cannot_run_is_126(place) {
        place.write("rootfs/bin/data", "no program\n");
        place.write("rootfs/bin/orphan", "#!/no/such/interpreter\n");
        std::fs::set_permissions(place.path("rootfs/bin/orphan"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        for (command, code, story) in [
            ("nosuch", 127, "no command `nosuch` in the container\ncaused by: -\n\
              hint: searched in `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`"),
            ("/bin/nosuch", 127, "no command `/bin/nosuch` in the container\ncaused by: -\nhint: -"),
            ("echo hello", 127, "no command `echo hello` in the container\ncaused by: -\n\
              hint: searched in `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`"),
            ("data", 126, "cannot execute `data`\ncaused by: permission denied\n\
              hint: is it a regular file with an execute bit, for this user?"),
            ("/etc", 126, "cannot execute `/etc`\ncaused by: permission denied\n\
              hint: is it a regular file with an execute bit, for this user?"),
            ("orphan", 126, "cannot execute `orphan`\ncaused by: no such file or directory\n\
              hint: its interpreter (`#!` line or dynamic loader) is missing in the container"),
        ] {
            for init in [true, false] {
                let mut container = place.container(&[command]);
                container.init = init;
                let answer = place.run(&container);
                assert_eq!((answer.exit_code(), answer.story().as_str()), (code, story), "{command}");
            }
        }
    }
}

in_every_mode! {
    fn a_file_of_another_kind_is_not_executable_and_the_hint_says_so(place) {
        place.write("rootfs/bin/data", "no program\n");
        std::fs::set_permissions(place.path("rootfs/bin/data"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let answer = place.run(&place.container(&["data"]));
        assert_eq!(answer.exit_code(), 126);
        assert!(answer.story().contains("another architecture"), "{}", answer.story());
    }
}

in_every_mode! {
    fn what_is_left_behind_is_killed_and_orphans_are_reaped(place) {
        let before = Instant::now();
        let zombies = place.output("(sh -c 'sleep 0.05' &); sleep 0.2; ps -o stat | grep -c Z || true; sleep 1000 &");
        assert_eq!(zombies.trim(), "0");
        assert!(before.elapsed() < Duration::from_secs(20));
    }
}

in_every_mode! {
    fn nothing_outlives_the_process_that_started_it(place) {
        for init in [true, false] {
            let marker = format!("{}.{}", std::process::id(), if init { 1001 } else { 1002 });
            let mut container = place.container(&["sleep", &marker]);
            container.init = init;
            container.stdio = Stdio::NULL;
            let mut child = place.start(&[container]);
            let sleeper = wait_for(|| process_with(&["sleep", &marker]));
            child.kill().unwrap();
            child.wait().unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            while std::path::Path::new(&format!("/proc/{sleeper}/cmdline")).exists() {
                assert!(Instant::now() < deadline, "`sleep {marker}` is still there");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

in_every_mode! {
    fn many_containers_of_one_process_run_at_once(place) {
        let containers: Vec<_> = (0..24)
            .map(|number| {
                let mut container = place.script(&format!("sleep 0.1; exit {number}"));
                container.root.upper = None;
                container.root.work = None;
                // A root that can only be read has to have what is mounted on.
                for name in ["proc", "dev", "sys"] {
                    std::fs::create_dir_all(place.path("rootfs").join(name)).unwrap();
                }
                container.files.keep_hosts = true;
                container.files.resolv_conf = tug_runtime::ResolvConf::Keep;
                container
            })
            .collect();
        let codes: Vec<i64> = place.run_all(&containers).iter().map(crate::support::Answer::exit_code).collect();
        assert_eq!(codes, (0..24).collect::<Vec<_>>());
    }
}

fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The number of the process with exactly these arguments.
fn process_with(words: &[&str]) -> Option<u32> {
    let wanted: Vec<u8> = words.iter().flat_map(|word| word.bytes().chain([0])).collect();
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let number = entry.unwrap().file_name().to_str()?.parse().ok()?;
        let found = std::fs::read(format!("/proc/{number}/cmdline")).ok()?;
        (found == wanted).then_some(number)
    })
}
