//! Who a process is, and who it may become: the rules of `credentials(7)`.
//!
//! A process whose effective user is root may become anyone. Any other may only take an id that it already has as
//! real, effective or saved one. Programs check this: `apt` becomes `_apt` for downloads and then makes sure that it
//! cannot go back.
//!
//! What a process may do is a matter of capabilities in truth, which follow the effective user unless the process says
//! otherwise: `setpriv` asks to keep them (`PR_SET_KEEPCAPS`), changes its user, and only then its group.

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// No change.
pub(super) const SAME: u32 = u32::MAX;

/// Who a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) user: Ids,
    pub(crate) group: Ids,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
    /// Whether it has asked to keep its capabilities when it becomes somebody else.
    keeps: bool,
    /// Whether it has become somebody else and kept them.
    kept: bool,
}

/// The four ids of a process, all of users or all of groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ids {
    pub(crate) real: u32,
    pub(crate) effective: u32,
    pub(crate) saved: u32,
    /// The one that counts for files.
    pub(crate) file: u32,
}

impl Ids {
    pub(crate) fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id, file: id }
    }

    fn has(self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    fn require(self, id: u32, privileged: bool) -> Result<(), Errno> {
        if id == SAME || privileged || self.has(id) { Ok(()) } else { Err(Errno::PERM) }
    }

    /// `setuid(2)`.
    fn set(&mut self, id: u32, privileged: bool) -> Result<(), Errno> {
        if id == SAME {
            return Err(Errno::INVAL);
        }
        if privileged {
            *self = Self::all(id);
        } else if id == self.real || id == self.saved {
            self.effective = id;
            self.file = id;
        } else {
            return Err(Errno::PERM);
        }
        Ok(())
    }

    /// `setreuid(2)`.
    fn set_two(&mut self, real: u32, effective: u32, privileged: bool) -> Result<(), Errno> {
        if real != SAME && !privileged && real != self.real && real != self.effective {
            return Err(Errno::PERM);
        }
        self.require(effective, privileged)?;
        let before = self.real;
        change(&mut self.real, real);
        change(&mut self.effective, effective);
        if real != SAME || (effective != SAME && effective != before) {
            self.saved = self.effective;
        }
        self.file = self.effective;
        Ok(())
    }

    /// `setresuid(2)`.
    fn set_three(&mut self, real: u32, effective: u32, saved: u32, privileged: bool) -> Result<(), Errno> {
        for id in [real, effective, saved] {
            self.require(id, privileged)?;
        }
        change(&mut self.real, real);
        change(&mut self.effective, effective);
        change(&mut self.saved, saved);
        self.file = self.effective;
        Ok(())
    }

    /// `setfsuid(2)`, which has no errors: it gives back what was in force.
    fn set_file(&mut self, id: u32, privileged: bool) -> u32 {
        let before = self.file;
        if id != SAME && (privileged || self.has(id) || id == self.file) {
            self.file = id;
        }
        before
    }
}

fn change(id: &mut u32, to: u32) {
    if to != SAME {
        *id = to;
    }
}

/// Users or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
}

/// A call that changes who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    One(Kind, u32),
    Two(Kind, u32, u32),
    Three(Kind, u32, u32, u32),
    File(Kind, u32),
    Groups(Vec<u32>),
    KeepCapabilities(bool),
}

impl Identity {
    pub(crate) fn new(uid: u32, gid: u32, groups: Vec<u32>) -> Self {
        Self { user: Ids::all(uid), group: Ids::all(gid), groups, keeps: false, kept: false }
    }

    pub(super) fn is_root(&self) -> bool {
        self.user.effective == 0
    }

    /// Makes the change, if it is allowed; what the call gives back.
    pub(super) fn apply(&mut self, change: &Change) -> Result<i64, Errno> {
        let privileged = self.is_root() || self.kept;
        let was_root = self.user.has(0);
        match *change {
            Change::One(kind, id) => self.ids(kind).set(id, privileged)?,
            Change::Two(kind, real, effective) => self.ids(kind).set_two(real, effective, privileged)?,
            Change::Three(kind, real, effective, saved) => {
                self.ids(kind).set_three(real, effective, saved, privileged)?;
            }
            Change::File(kind, id) => return Ok(i64::from(self.ids(kind).set_file(id, privileged))),
            Change::Groups(ref groups) => {
                if !privileged {
                    return Err(Errno::PERM);
                }
                self.groups.clone_from(groups);
                self.groups.sort_unstable();
            }
            Change::KeepCapabilities(keeps) => self.keeps = keeps,
        }
        if was_root && !self.user.has(0) {
            self.kept = self.keeps;
        }
        Ok(0)
    }

    /// What executing a program does that has set-id bits and these owners.
    pub(super) fn execute(&mut self, user: Option<u32>, group: Option<u32>) {
        (self.keeps, self.kept) = (false, false);
        for (ids, owner) in [(&mut self.user, user), (&mut self.group, group)] {
            if let Some(owner) = owner {
                ids.effective = owner;
            }
            ids.saved = ids.effective;
            ids.file = ids.effective;
        }
    }

    /// Whether it may give a file of `owner` to these.
    pub(super) fn may_give(&self, owner: (u32, u32), to: (u32, u32)) -> bool {
        if self.user.file == 0 {
            return true;
        }
        let user_stays = to.0 == SAME || to.0 == owner.0;
        let group_is_own =
            to.1 == SAME || to.1 == owner.1 || to.1 == self.group.file || self.groups.contains(&to.1);
        owner.0 == self.user.file && user_stays && group_is_own
    }

    fn ids(&mut self, kind: Kind) -> &mut Ids {
        match kind {
            Kind::User => &mut self.user,
            Kind::Group => &mut self.group,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{Group, User};

    fn ids(real: u32, effective: u32, saved: u32) -> Ids {
        Ids { real, effective, saved, file: effective }
    }

    #[test]
    fn root_becomes_anyone_and_cannot_go_back() {
        let mut who = Identity::default();
        who.apply(&Change::Groups(vec![65534])).unwrap();
        who.apply(&Change::One(Group, 65534)).unwrap();
        who.apply(&Change::One(User, 42)).unwrap();
        assert_eq!((who.user, who.group), (Ids::all(42), Ids::all(65534)));
        for change in [
            Change::One(User, 0),
            Change::Three(User, SAME, 0, SAME),
            Change::Two(User, SAME, 0),
            Change::One(Group, 0),
            Change::Groups(vec![]),
        ] {
            assert_eq!(who.apply(&change), Err(Errno::PERM), "{change:?}");
        }
    }

    #[test]
    fn root_that_only_dropped_its_effective_id_can_take_it_back() {
        let mut who = Identity::default();
        who.apply(&Change::Three(User, SAME, 1000, SAME)).unwrap();
        assert_eq!(who.user, ids(0, 1000, 0));
        who.apply(&Change::Three(User, SAME, 0, SAME)).unwrap();
        assert_eq!(who.user, Ids::all(0));
        who.apply(&Change::Two(User, SAME, 1000)).unwrap();
        assert_eq!(who.user, ids(0, 1000, 1000));
        who.apply(&Change::Two(User, SAME, 0)).unwrap();
        assert!(who.is_root());
    }

    #[test]
    fn kept_capabilities_last_until_a_program_is_executed() {
        let mut who = Identity::default();
        who.apply(&Change::KeepCapabilities(true)).unwrap();
        who.apply(&Change::Three(User, 6, 6, 6)).unwrap();
        who.apply(&Change::Three(Group, 12, 12, 12)).unwrap();
        who.apply(&Change::Groups(vec![12])).unwrap();
        who.execute(None, None);
        assert_eq!(who.apply(&Change::One(User, 0)), Err(Errno::PERM));
        assert_eq!((who.user, who.group), (Ids::all(6), Ids::all(12)));
    }

    #[test]
    fn the_file_id_has_no_errors() {
        let mut who = Identity::default();
        assert_eq!(who.apply(&Change::File(User, 7)), Ok(0));
        assert_eq!(who.apply(&Change::File(User, SAME)), Ok(7));
        who.apply(&Change::One(User, 7)).unwrap();
        assert_eq!(who.apply(&Change::File(User, 9)), Ok(7));
        assert_eq!(who.user.file, 7);
    }

    #[test]
    fn a_set_uid_program_makes_its_owner_of_anyone() {
        let mut who = Identity::new(1000, 1000, vec![]);
        who.execute(Some(0), None);
        assert_eq!(who.user, ids(1000, 0, 0));
        assert!(who.is_root());
        who.apply(&Change::One(User, 0)).unwrap();
        assert_eq!(who.user, Ids::all(0));
    }

    #[test]
    fn only_root_gives_files_away() {
        let who = Identity::new(1000, 1000, vec![33]);
        assert!(who.may_give((1000, 1000), (SAME, 33)));
        assert!(who.may_give((1000, 1000), (1000, SAME)));
        assert!(!who.may_give((1000, 1000), (SAME, 34)));
        assert!(!who.may_give((1000, 1000), (0, SAME)));
        assert!(!who.may_give((0, 0), (SAME, 33)));
        assert!(Identity::default().may_give((5, 5), (6, 6)));
    }
}
