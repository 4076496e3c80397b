//! Why a host does not let us have a user namespace, and what can be done about it.

use rustix::io::Errno;

use crate::Error;

/// A setting of the host that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// `user.max_user_namespaces` is 0.
    Limit,
    /// `kernel.unprivileged_userns_clone` is 0.
    Switch,
    /// Ubuntu's `kernel.apparmor_restrict_unprivileged_userns` is 1.
    AppArmor,
}

impl Obstacle {
    /// What was found.
    pub(crate) fn found(self) -> &'static str {
        match self {
            Self::Limit => "`user.max_user_namespaces` is 0",
            Self::Switch => "`kernel.unprivileged_userns_clone` is 0",
            Self::AppArmor => "`kernel.apparmor_restrict_unprivileged_userns` is 1",
        }
    }

    /// How to mend it.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Limit => {
                "as root: `sysctl -w user.max_user_namespaces=15000`, and the same in `/etc/sysctl.d/`"
            }
            Self::Switch => {
                "as root: `sysctl -w kernel.unprivileged_userns_clone=1`, and the same in `/etc/sysctl.d/`"
            }
            Self::AppArmor => {
                "as root: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or an AppArmor profile with \
                 `userns,` for the path of `tug` in `/etc/apparmor.d/`"
            }
        }
    }
}

/// The setting that is in the way of ordinary users, if any.
pub(crate) fn obstacle() -> Option<Obstacle> {
    let is = |path: &str, value: &str| std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    if is("/proc/sys/user/max_user_namespaces", "0") {
        Some(Obstacle::Limit)
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        Some(Obstacle::Switch)
    } else if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        Some(Obstacle::AppArmor)
    } else {
        None
    }
}

/// The error for a user namespace that we did not get, or that gave us no rights.
pub(super) fn refused(errno: Errno) -> Error {
    let advice = obstacle().map_or_else(
        || {
            "in a container: its system call filter has to let user namespaces through, or it has to run as root \
             with `CAP_SYS_ADMIN`; `tug doctor` shows more"
                .to_owned()
        },
        |obstacle| format!("{}; {}", obstacle.found(), obstacle.remedy()),
    );
    Error::Namespaces { what: "user namespaces".to_owned(), cause: errno.into(), advice: Some(advice) }
}
