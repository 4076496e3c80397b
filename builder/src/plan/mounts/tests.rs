//! What `--mount` of a RUN means.

use super::super::tests::{Asked, PLAIN, messages, planned};
use super::super::{Action, Plan, RunAction};
use super::*;

/// The last RUN.
fn run(plan: &Plan) -> &RunAction {
    let mut runs = plan.steps.iter().rev().filter_map(|step| match &step.action {
        Action::Run(run) => Some(run),
        _ => None,
    });
    runs.next().unwrap()
}

fn targets(text: &str) -> Vec<String> {
    let plan = planned(text, &PLAIN).unwrap();
    run(&plan).mounts.iter().map(|mount| mount.target.clone().unwrap_or_default()).collect()
}

/// The ids of the caches of the last RUN.
fn ids(text: &str, asked: &Asked<'_>) -> Vec<String> {
    let plan = planned(text, asked).unwrap();
    let mounts = run(&plan).mounts.iter();
    mounts
        .filter_map(|mount| match &mount.kind {
            MountKind::Cache { id, .. } => Some(id.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn targets_are_seen_from_the_working_directory_and_outer_ones_come_first() {
    let text = "FROM base\nARG D=c\nWORKDIR /w\nRUN --mount=type=tmpfs,target=/a/b/c --mount=type=tmpfs,target=/a \\\n\
                --mount=type=tmpfs,target=$D --mount=type=tmpfs true\n";
    assert_eq!(targets(text), ["/a", "/w", "/w/c", "/a/b/c"]);
}

#[test]
fn a_cache_is_called_like_its_target_unless_it_has_an_id() {
    let text = "FROM base\nWORKDIR /w\nRUN --mount=type=cache,target=/a/../b/ --mount=type=cache,target=./c/ \\\n\
                --mount=type=cache,target=/d,id=../x true\n";
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(ids(text, &PLAIN)), ["../x", "/b", "c"]);
    let asked = Asked { build_args: &[("BUILDKIT_CACHE_MOUNT_NS", "team")], ..PLAIN };
    assert_eq!(sorted(ids(text, &asked)), ["team/../x", "team//b", "team/c"]);
}

#[test]
fn stages_that_are_only_mounted_are_in_the_plan_with_their_trees() {
    let text = "FROM base AS unused\nRUN false\nFROM base AS tool\nRUN make\nFROM base\n\
                RUN --mount=from=tool,target=/t true\nRUN --mount=from=1,target=/t true\n";
    let plan = planned(text, &PLAIN).unwrap();
    let made: Vec<_> = plan.steps.iter().filter(|step| step.summary.stage == "tool").collect();
    assert_eq!((plan.steps.len(), made.len()), (5, 2));
    assert!(made.iter().all(|step| step.materialise));
    let readers = plan.steps.iter().filter(|step| step.uses == [made[1].summary.id]);
    assert_eq!(readers.count(), 2, "by name and by number");
}

#[test]
fn the_first_agent_is_named_to_programs_unless_the_dockerfile_does_so() {
    let variable = |text: &str| {
        let plan = planned(text, &PLAIN).unwrap();
        let env = run(&plan).env.iter().rev().find(|(name, _)| name == "SSH_AUTH_SOCK").cloned();
        env.map(|(_, value)| value)
    };
    let run = "RUN --mount=type=ssh,id=a --mount=type=ssh,id=b true\n";
    assert_eq!(variable(&format!("FROM base\n{run}")).as_deref(), Some("/run/buildkit/ssh_agent.0"));
    assert_eq!(variable(&format!("FROM base\nENV SSH_AUTH_SOCK=/x\n{run}")).as_deref(), Some("/x"));
    assert_eq!(variable("FROM base\nRUN true\n"), None);
    let text = format!("FROM base\n{run}");
    assert_eq!(targets(&text), ["/run/buildkit/ssh_agent.0", "/run/buildkit/ssh_agent.1"]);
}

#[test]
fn what_is_wrong_with_a_mount_has_its_place() {
    for (mount, place, message) in [
        ("target=/", "--mount=target=/", "cannot be at `/`"),
        ("type=cache,target=/a/..", "--mount=type=cache,target=/a/..", "cannot be at `/`"),
        ("from=nothing,target=/x", "nothing", "no image `nothing`"),
        ("from=7,target=/x", "7", "there is no stage 7"),
        ("from=later,target=/x", "later", "needs to be defined before"),
    ] {
        let text = format!(
            "FROM base\nRUN --mount={mount} true\nFROM base AS later\nFROM base\nCOPY --from=0 /a /\n"
        );
        let found = messages(&text, &PLAIN);
        assert!(found.len() == 1 && found[0].contains(message), "{found:?}");
        assert!(found[0].starts_with(&format!("{place:?}")), "{found:?}");
    }
}

#[test]
fn podmans_u_is_for_what_can_be_written_to() {
    let own = |mount: &str| {
        let plan = planned(&format!("FROM base\nRUN --mount={mount} true\n"), &PLAIN).unwrap();
        (run(&plan).mounts[0].own, plan.units[0].warnings.len())
    };
    assert_eq!(own("type=cache,target=/c,U"), (true, 0));
    assert_eq!(own("type=bind,target=/c,rw,chown=true"), (true, 0));
    assert_eq!(own("type=bind,target=/c,U=true"), (false, 1));
    assert_eq!(own("type=bind,target=/c,z,U=false"), (false, 0));
}
