//! Who the command is.

use crate::support::{Place, Who, in_every_mode};

fn ids(place: &Place, user: &str) -> String {
    let mut container = place.script("id -u; id -g; id -G; echo $HOME");
    container.process.user = user.to_owned();
    place.run(&container).good().replace('\n', "|")
}

in_every_mode! {
    fn a_user_is_who_the_files_of_the_container_say(place) {
        assert_eq!(ids(place, ""), "0|0|0|/root|");
        assert_eq!(ids(place, "root"), "0|0|0|/root|");
        assert_eq!(ids(place, "node"), "1000|1001|1001 33 50|/home/node|");
        assert_eq!(ids(place, "1000"), "1000|1001|1001 33 50|/home/node|");
        assert_eq!(ids(place, "node:www"), "1000|33|33|/home/node|");
        assert_eq!(ids(place, "node:77"), "1000|77|77|/home/node|");
        assert_eq!(ids(place, "4242"), "4242|0|0|/|");
        assert_eq!(ids(place, "4242:4343"), "4242|4343|4343|/|");
    }
}

in_every_mode! {
    fn a_user_that_does_not_exist_is_an_error_and_never_root(place) {
        for user in ["nobody-here", "node:nobody-here", "4294967296", "4294967295", "-1", "99999999999", "1000:-1"] {
            let mut container = place.script("id -u");
            container.process.user = user.to_owned();
            let answer = place.run(&container);
            assert!(answer.exit_code() == 125 && answer.error().is_some(), "{user}: {answer:?}");
        }
        let mut container = place.script("id -u");
        container.process.user = "nobody-here".to_owned();
        assert_eq!(
            place.run(&container).story(),
            "no user `nobody-here` in the container's `/etc/passwd`\ncaused by: -\n\
             hint: add the user in an earlier step, or use its numeric id"
        );
    }
}

in_every_mode! {
    fn a_user_other_than_root_has_no_capabilities(place) {
        if place.who == Who::OneId {
            // There it is root in truth, and only called something else.
            return;
        }
        let mut container = place.script("grep -E '^Cap' /proc/self/status | tr -s '\\t' ' '; cat /root/secret");
        place.write("rootfs/root/secret", "secret");
        std::fs::set_permissions(place.path("rootfs/root"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        container.process.user = "node".to_owned();
        let answer = place.run(&container);
        assert_eq!(
            answer.stdout(),
            "CapInh: 0000000000000000\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n\
             CapBnd: 00000000a80425fb\nCapAmb: 0000000000000000\n"
        );
        assert!(answer.stderr().contains("Permission denied"), "{answer:?}");
    }
}

in_every_mode! {
    fn files_belong_to_who_made_them(place) {
        if place.who == Who::OneId {
            return;
        }
        let mut container = place.script("touch /tmp/mine; stat -c %u:%g /tmp/mine");
        container.process.user = "node".to_owned();
        assert_eq!(place.run(&container).good(), "1000:1001\n");
    }
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_an_id_beyond_the_range_is_explained() {
    let place = Place::new(Who::ManyIds);
    let mut container = place.script("id -u");
    container.process.user = "70000".to_owned();
    assert_eq!(
        place.run(&container).story(),
        "user id 70000 does not exist here: this user may use ids below 65537 only\ncaused by: -\n\
         hint: `tug doctor` shows which ids this user has and how to get more"
    );
}
