//! Builds with RUN in which something once went wrong.

use crate::tug::Tug;

#[test]
#[ignore = "needs root, busybox"]
fn steps_that_change_nothing_may_follow_each_other_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write("app/Dockerfile", "FROM base\nRUN true\nRUN :\nRUN test -e /bin/sh\n");
    tug.data(&["build", "--network", "none", "-q", "-t", "app", "app"]);
    assert_eq!(tug.data(&["run", "--network", "none", "app", "echo", "hello"]), "hello\n");
}
