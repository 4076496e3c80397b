//! What a command finds around it: environment, directory, streams, terminal, names.

use std::net::{IpAddr, Ipv4Addr};

use tug_runtime::{Network, ResolvConf, Resource, Stdio, Stream, Ulimit};

use crate::support::{Place, Who, in_every_mode};

in_every_mode! {
    fn the_environment_is_what_was_asked_for_and_nothing_of_ours(place) {
        let mut container = place.container(&["env"]);
        container.process.env = vec![("A".into(), "1 2".into()), ("EMPTY".into(), "".into())];
        assert_eq!(
            place.run(&container).good(),
            "A=1 2\nEMPTY=\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOME=/root\n"
        );
        container.process.env = vec![("PATH".into(), "/bin".into()), ("HOME".into(), "/x".into())];
        assert_eq!(place.run(&container).good(), "PATH=/bin\nHOME=/x\n");
    }
}

in_every_mode! {
    fn no_descriptor_of_ours_is_open(place) {
        assert_eq!(place.output("ls /proc/$$/fd; true"), "0\n1\n2\n");
        let mut container = place.script("ls /proc/self/fd");
        container.init = false;
        // The third is the directory that is being listed.
        assert_eq!(place.run(&container).good(), "0\n1\n2\n3\n");
        // The control socket and the signals of process 1; nobody in the container can open them.
        let script = "sleep 0.3; ls /proc/1/fd | wc -l; cat /proc/1/fd/3 /proc/1/exe 2>&1 | grep -c 'Permission denied'";
        assert_eq!(place.output(script), "2\n2\n");
    }
}

in_every_mode! {
    fn streams_are_pipes_or_nothing_as_asked(place) {
        let answer = place.run(&place.script("cat; echo out; echo err >&2; readlink /proc/self/fd/0"));
        assert_eq!((answer.stdout().as_str(), answer.stderr().as_str()), ("out\n/dev/null\n", "err\n"));
        let mut container = place.script("cat; echo done > /dev/stdout");
        container.stdio = Stdio { stdin: Stream::Pipe, stdout: Stream::Pipe, stderr: Stream::Inherit };
        container.process.user = "1000:1000".to_owned();
        if place.who != Who::OneId {
            assert_eq!(place.run(&container).good(), "done\n");
        }
    }
}

in_every_mode! {
    fn what_is_written_to_one_pipe_keeps_its_order(place) {
        let mut container = place.script("for i in 1 2 3; do echo out $i; echo err $i >&2; done; echo x > /dev/stderr");
        container.stdio = Stdio::CAPTURE_IN_ORDER;
        let answer = place.run(&container);
        assert_eq!(
            (answer.stdout().as_str(), answer.stderr().as_str()),
            ("out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\nx\n", "")
        );
    }
}

in_every_mode! {
    fn the_working_directory_is_entered_and_made_only_if_asked(place) {
        let mut container = place.container(&["pwd"]);
        assert_eq!(place.run(&container).good(), "/\n");
        container.process.working_directory = "/tmp".into();
        assert_eq!(place.run(&container).good(), "/tmp\n");
        container.process.working_directory = "/srv/app".into();
        let answer = place.run(&container);
        assert_eq!(
            (answer.exit_code(), answer.story().as_str()),
            (125, "cannot use working directory `/srv/app`\ncaused by: no such file or directory\nhint: -")
        );
        container.process.create_working_directory = true;
        assert_eq!(place.run(&container).good(), "/srv/app\n");
        let made = std::fs::metadata(place.path("upper/srv/app")).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&made.permissions()) & 0o7777, 0o755);
        container.process.working_directory = "/etc/passwd".into();
        assert!(place.run(&container).story().contains("not a directory"));
    }
}

in_every_mode! {
    fn a_terminal_is_the_containers_own_and_has_the_size_we_gave_it(place) {
        for init in [true, false] {
            let mut container = place.script(
                "tty; test -t 0 -a -t 1 -a -t 2; test -c /dev/console; sleep 0.2; stty size; ls -1 /dev/pts",
            );
            container.process.terminal = true;
            container.init = init;
            let answer = place.run(&container);
            let expected = "/dev/pts/0\r\n40 100\r\n0\r\nptmx\r\n";
            assert_eq!(answer.good(), expected);
        }
    }
}

in_every_mode! {
    fn names_are_those_that_were_given(place) {
        let mut container = place.script("hostname; cat /etc/hosts /etc/resolv.conf /etc/hostname");
        container.hostname = "box-1".to_owned();
        container.hosts = vec![("db".to_owned(), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)))];
        container.files.resolv_conf = ResolvConf::Text("nameserver 192.0.2.1\n".to_owned());
        container.files.hostname = true;
        let output = place.run(&container).good();
        assert!(output.starts_with("box-1\n127.0.0.1\tlocalhost\n"), "{output}");
        assert!(output.contains("\n127.0.1.1\tbox-1\n10.0.0.7\tdb\nnameserver 192.0.2.1\nbox-1\n"), "{output}");

        place.write("rootfs/etc/hosts", "of the image\n");
        place.write("rootfs/etc/hostname", "image\n");
        let mut container = place.script("cat /etc/hosts /etc/hostname");
        container.files.keep_hosts = true;
        assert_eq!(place.run(&container).good(), "of the image\nimage\n");
    }
}

in_every_mode! {
    fn without_a_network_there_is_loopback_only(place) {
        let mut container = place.script("ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 > /dev/null && echo alive");
        container.network = Network::None;
        let answer = place.run(&container);
        assert!(answer.stdout().starts_with("lo\n"), "{answer:?}");
        assert!(answer.stdout().ends_with("alive\n"), "{answer:?}");
        assert_eq!(
            place.run(&{
                let mut container = place.script("cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
                container.network = Network::None;
                container
            })
            .good(),
            "0\n"
        );
    }
}

in_every_mode! {
    fn limits_of_the_process_are_set(place) {
        let mut container = place.script("ulimit -n; ulimit -c; umask");
        container.ulimits = vec![
            Ulimit { resource: Resource::OpenFiles, soft: Some(123), hard: Some(200) },
            Ulimit { resource: Resource::Core, soft: Some(0), hard: Some(0) },
        ];
        assert_eq!(place.run(&container).good(), "123\n0\n0022\n");
    }
}

in_every_mode! {
    fn shared_memory_has_the_size_that_was_asked_for(place) {
        let mut container = place.script("df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2");
        container.shm_size = 3 << 20;
        assert_eq!(place.run(&container).good(), "3072\n");
    }
}
