//! What a Dockerfile means, step by step.

mod mended;

use std::collections::BTreeMap;
use std::fmt::Write;

use tug_dockerfile::Dockerfile;
use tug_layer_store::Image;
use tug_oci::{Descriptor, Digest, History, ImageConfig, Manifest, Platform, Raw, media_type};

use super::stages::{NoImage, PlanError, PlanOptions, Surroundings, plan};
use super::{Action, CopyFrom, CopySource, FilesId, Named, Plan, PlannedHistory, State};
use crate::changes::ImageChanges;
use crate::error::{Error, Problem};
use crate::options::NetworkMode;
use crate::sandbox::{Allowed, Sandbox};

/// One image, `base`, with an environment, a user and a trigger.
struct OneImage {
    on_build: Vec<String>,
}

impl Surroundings for OneImage {
    fn image(&self, name: &str, platform: &Platform) -> Result<Image, NoImage> {
        if name != "base" {
            return Err(NoImage::Problem { message: format!("no image `{name}` in the store"), help: None });
        }
        let mut config = ImageConfig::empty(platform.clone());
        config.config.env = vec!["PATH=/bin".to_owned(), "LANG=C".to_owned()];
        config.config.cmd = Some(vec!["sh".to_owned()]);
        config.config.on_build.clone_from(&self.on_build);
        config.history.push(History { created_by: Some("ADD rootfs".to_owned()), ..History::default() });
        let config = Raw::encode(config);
        let descriptor = Descriptor::new(media_type::OCI_CONFIG, config.digest().clone(), config.size());
        let manifest = Raw::encode(Manifest::new(descriptor, Vec::new()));
        let descriptor =
            Descriptor::new(media_type::OCI_MANIFEST, Digest::of(manifest.bytes()), manifest.size());
        Ok(Image { descriptor, manifest, config })
    }

    /// The files of the context have the number 0.
    fn files(&self, number: usize) -> Result<FilesId, Error> {
        Ok(FilesId(number + 1))
    }
}

pub(super) struct Asked<'a> {
    pub(in crate::plan) build_args: &'a [(&'a str, &'a str)],
    pub(in crate::plan) target: Option<&'a str>,
    pub(in crate::plan) on_build: &'a [&'a str],
    pub(in crate::plan) named: &'a [(String, Named)],
    pub(in crate::plan) no_cache_stages: &'a [&'a str],
    pub(in crate::plan) network: NetworkMode,
    pub(in crate::plan) sandbox: Option<&'a Sandbox>,
    pub(in crate::plan) changes: Option<&'a ImageChanges>,
}

pub(super) const PLAIN: Asked<'_> = Asked {
    build_args: &[],
    target: None,
    on_build: &[],
    named: &[],
    no_cache_stages: &[],
    network: NetworkMode::Host,
    sandbox: None,
    changes: None,
};

pub(super) fn planned(text: &str, asked: &Asked<'_>) -> Result<Plan, Vec<Problem>> {
    let dockerfile = Dockerfile::parse(text.as_bytes()).unwrap();
    let build_args: BTreeMap<String, String> =
        asked.build_args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (sandbox, changes) = (Sandbox::default(), ImageChanges::default());
    let options = PlanOptions {
        target: asked.target,
        build_args: &build_args,
        labels: &[],
        platform: &Platform::linux("amd64"),
        network: asked.network,
        identity: "test",
        unit_name: "",
        context: FilesId(0),
        named: asked.named,
        no_cache_stages: &asked.no_cache_stages.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
        sandbox: asked.sandbox.unwrap_or(&sandbox),
        changes: asked.changes.unwrap_or(&changes),
        strict_platform: false,
    };
    let images = OneImage { on_build: asked.on_build.iter().map(|text| (*text).to_owned()).collect() };
    let mut planned = Plan::default();
    let added = plan(&mut planned, &dockerfile, text, &options, &images);
    added.map(|()| planned).map_err(|error| match error {
        PlanError::Problems(problems) => problems,
        PlanError::Failed(error) => panic!("{error}"),
    })
}

/// One line for each step, then the history.
fn listing(plan: &Plan) -> String {
    let mut text = String::new();
    let state = |state: State| match state {
        State::Scratch => "-".to_owned(),
        State::After(id) => id.0.to_string(),
    };
    for step in &plan.steps {
        let more = match &step.action {
            Action::Base(_) => String::new(),
            Action::Run(run) => format!("{:?} user={} dir={}", run.args, run.user, run.working_directory),
            Action::Copy(copy) => match copy.from {
                CopyFrom::Files(FilesId(0)) => format!("-> {}", copy.destination),
                CopyFrom::Files(FilesId(number)) => format!("context {number} -> {}", copy.destination),
                CopyFrom::Layers(from) => format!("from {} -> {}", state(from), copy.destination),
            },
            Action::Workdir(workdir) => format!("{} user={}", workdir.path, workdir.user),
        };
        let tree = if step.materialise { " (tree)" } else { "" };
        writeln!(text, "{} on {}: {}{tree} {more}", step.summary.id.0, state(step.below), step.summary.name)
            .unwrap();
    }
    text
}

fn history(plan: &Plan) -> Vec<String> {
    let lines = plan.units[0].result.history.iter().map(|line| match line {
        PlannedHistory::Base(line) => line.created_by.clone().unwrap_or_default(),
        PlannedHistory::Own { created_by, step } => match step {
            Some(step) => format!("{}: {created_by}", step.0),
            None => created_by.clone(),
        },
    });
    lines.collect()
}

pub(super) fn messages(text: &str, asked: &Asked<'_>) -> Vec<String> {
    match planned(text, asked) {
        Ok(_) => panic!("this was planned: {text}"),
        Err(problems) => problems
            .into_iter()
            .map(|problem| format!("{:?} {}", &text[problem.span.clone()], problem.message))
            .collect(),
    }
}

#[test]
fn only_stages_that_the_target_needs_are_in_the_plan() {
    let text =
        "FROM base AS unused\nRUN false\nFROM base AS tool\nRUN make\nFROM base\nCOPY --from=tool /a /b\n";
    let plan = planned(text, &PLAIN).unwrap();
    insta::assert_snapshot!(listing(&plan), @r#"
    0 on -: [tool 1/2] FROM base (tree) 
    1 on 0: [tool 2/2] RUN make ["/bin/sh", "-c", "make"] user= dir=/
    2 on -: [stage-2 1/2] FROM base 
    3 on 2: [stage-2 2/2] COPY --from=tool /a /b from 1 -> /b
    "#);
}

#[test]
fn a_layer_is_a_folder_only_where_a_later_run_reads_it() {
    let text = "FROM base\nCOPY a /a\nRUN make\nCOPY b /b\nWORKDIR /c\n";
    let plan = planned(text, &PLAIN).unwrap();
    let trees: Vec<bool> = plan.steps.iter().map(|step| step.materialise).collect();
    assert_eq!(trees, [true, true, false, false, false]);
}

#[test]
fn a_stage_inherits_variables_user_directory_and_command_of_the_stage_below() {
    let text = "FROM base AS one\nARG A=1\nENV B=$A\nUSER 7\nWORKDIR /x\nFROM one\nRUN echo\n";
    let plan = planned(text, &PLAIN).unwrap();
    let Some(Action::Run(run)) = plan.steps.last().map(|step| &step.action) else { panic!("no RUN") };
    assert_eq!((run.user.as_str(), run.working_directory.as_str()), ("7", "/x"));
    let env: Vec<String> = run.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["PATH=/bin", "LANG=C", "A=1", "B=1"]);
    assert_eq!(plan.units[0].result.config.config.cmd, Some(vec!["sh".to_owned()]));
}

#[test]
fn the_history_is_what_docker_writes() {
    let text = "FROM base\nARG V=1\nENV A=b\nRUN make\nCOPY a /\nWORKDIR x\nCMD [\"a\", \"b c\"]\nEXPOSE 80 53/udp\n\
                VOLUME /d /e\nLABEL k=\"v w\"\nUSER u\nSTOPSIGNAL TERM\nSHELL [\"/bin/sh\",\"-ec\"]\nENTRYPOINT x\n\
                ONBUILD RUN y\nHEALTHCHECK --interval=5s CMD true\nMAINTAINER me\n";
    let plan = planned(text, &PLAIN).unwrap();
    insta::assert_snapshot!(history(&plan).join("\n"), @r#"
    ADD rootfs
    ARG V=1
    ENV A=b
    1: RUN |1 V=1 /bin/sh -c make # buildkit
    2: COPY a / # buildkit
    3: WORKDIR /x
    CMD ["a" "b c"]
    EXPOSE map[53/udp:{} 80/tcp:{}]
    VOLUME [/d /e]
    LABEL k=v w
    USER u
    STOPSIGNAL TERM
    SHELL [/bin/sh -ec]
    ENTRYPOINT ["/bin/sh" "-ec" "x"]
    HEALTHCHECK &{["CMD-SHELL" "true"] "5s" "0s" "0s" "0s" '\x00'}
    MAINTAINER me
    "#);
}

#[test]
fn an_entrypoint_clears_an_inherited_command_but_not_one_of_its_own_stage() {
    let inherited = planned("FROM base\nENTRYPOINT [\"x\"]\n", &PLAIN).unwrap();
    assert_eq!(inherited.units[0].result.config.config.cmd, None);
    let own = planned("FROM base\nCMD [\"y\"]\nENTRYPOINT [\"x\"]\n", &PLAIN).unwrap();
    assert_eq!(own.units[0].result.config.config.cmd, Some(vec!["y".to_owned()]));
}

#[test]
fn values_of_one_instruction_see_the_variables_before_it() {
    let plan = planned("FROM scratch\nENV a=1\nENV a=2 b=$a\n", &PLAIN).unwrap();
    assert!(plan.units[0].result.config.config.env.contains(&"b=1".to_owned()));
}

#[test]
fn a_global_argument_is_seen_by_from_and_only_declared_by_a_stage() {
    let text = "ARG IMAGE=base\nARG V=3\nFROM ${IMAGE}\nENV X=<$V>\nARG V\nENV Y=<$V>\n";
    let plan = planned(text, &PLAIN).unwrap();
    let env = &plan.units[0].result.config.config.env;
    assert!(env.contains(&"X=<>".to_owned()) && env.contains(&"Y=<3>".to_owned()), "{env:?}");
}

#[test]
fn triggers_of_the_base_run_first_and_are_gone_from_the_image() {
    let asked = Asked { on_build: &["RUN setup", "ENV T=1"], ..PLAIN };
    let plan = planned("FROM base\nRUN make $T\n", &asked).unwrap();
    assert!(plan.steps[1].summary.name.contains("RUN setup"), "{}", listing(&plan));
    assert!(plan.units[0].result.config.config.on_build.is_empty());
    assert!(plan.units[0].result.config.config.env.contains(&"T=1".to_owned()));
}

#[test]
fn problems_are_told_with_their_places_and_all_at_once() {
    let text = "FROM base AS build\nEXPOSE 99999\nSTOPSIGNAL NOPE\nENV A=${B:?needed}\n";
    insta::assert_debug_snapshot!(messages(text, &PLAIN), @r#"
    [
        "\"99999\" `99999` is not a port",
        "\"NOPE\" `NOPE` is not a signal",
        "\"${B:?needed}\" `B` is not set: needed",
    ]
    "#);
}

#[test]
fn a_stage_that_comes_later_or_is_misspelled_is_named() {
    let later = messages("FROM base AS a\nCOPY --from=b /x /x\nFROM base AS b\nFROM a\n", &PLAIN);
    assert!(later[0].contains("needs to be defined before"), "{later:?}");
    let text = "FROM base AS build\nFROM base\nCOPY --from=biuld /x /x\n";
    let Err(problems) = planned(text, &PLAIN) else { panic!("it was planned") };
    assert_eq!(problems[0].message, "no stage named `biuld`");
    assert_eq!(problems[0].help.as_deref(), Some("a stage with a similar name exists: `build`"));
}

#[test]
fn an_unknown_target_lists_what_there_is() {
    let Err(problems) = planned("FROM base AS build\n", &Asked { target: Some("biuld"), ..PLAIN }) else {
        panic!("it was planned")
    };
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `build`?"));
}

#[test]
fn build_args_that_no_arg_takes_are_warned_about() {
    let asked = Asked { build_args: &[("NOPE", "1"), ("HTTP_PROXY", "x")], ..PLAIN };
    let plan = planned("FROM base\n", &asked).unwrap();
    assert_eq!(plan.units[0].warnings.len(), 1);
    assert!(plan.units[0].warnings[0].message.contains("NOPE"));
}

#[test]
fn proxy_arguments_are_in_no_step_unless_declared() {
    let asked = Asked { build_args: &[("HTTP_PROXY", "x")], ..PLAIN };
    let env = |text: &str| match planned(text, &asked).unwrap().steps.pop().unwrap().action {
        Action::Run(run) => run.env.iter().any(|(name, _)| name == "HTTP_PROXY"),
        _ => panic!("the last step is a RUN"),
    };
    assert!(!env("FROM base\nRUN x\n"));
    assert!(env("FROM base\nARG HTTP_PROXY\nRUN x\n"));
}

#[test]
fn a_proxy_of_the_image_or_of_an_env_is_seen_by_run() {
    let plan = planned("FROM base\nENV HTTP_PROXY=http://own\nRUN x\n", &PLAIN).unwrap();
    let Some(Action::Run(run)) = plan.steps.last().map(|step| &step.action) else { panic!("no RUN") };
    assert!(run.env.contains(&("HTTP_PROXY".to_owned(), "http://own".to_owned())), "{:?}", run.env);
}

#[test]
fn what_is_wrong_in_a_trigger_is_shown_where_the_base_is_named() {
    let asked = Asked { on_build: &["EXPOSE 99999", "COPPY a b"], ..PLAIN };
    insta::assert_debug_snapshot!(messages("# a\nFROM base AS x\nRUN make\n", &asked), @r#"
    [
        "\"base\" in its ONBUILD trigger `EXPOSE 99999`: `99999` is not a port",
        "\"base\" in its ONBUILD trigger `COPPY a b`: unknown instruction `COPPY`",
    ]
    "#);
}

#[test]
fn sources_of_a_trigger_have_the_place_of_the_base() {
    let text = "# a\nFROM base\n";
    let plan = planned(text, &Asked { on_build: &["COPY some-file /"], ..PLAIN }).unwrap();
    let Some(Action::Copy(copy)) = plan.steps.last().map(|step| &step.action) else { panic!("no COPY") };
    let CopySource::Path { span, .. } = &copy.sources[0] else { panic!("no path") };
    assert_eq!(&text[span.clone()], "base");
}

#[test]
fn a_number_in_from_is_no_stage() {
    let text = "FROM base AS first\nRUN make\nFROM 0\n";
    assert_eq!(messages(text, &PLAIN), ["\"0\" no image `0` in the store"]);
}

#[test]
fn a_named_context_hides_stages_and_images_of_its_name() {
    let named = [
        ("files".to_owned(), Named::Files(0)),
        ("other".to_owned(), Named::Image("base".to_owned())),
        ("debian".to_owned(), Named::Image("base".to_owned())),
    ];
    let asked = Asked { named: &named, ..PLAIN };
    let text = "FROM nowhere AS other\nRUN never\nFROM debian:latest\nCOPY --from=FILES a /a\n\
                COPY --from=other b /b\nCOPY --from=0 c /c\n";
    assert_eq!(
        listing(&planned(text, &asked).unwrap()),
        "0 on -: FROM base \n\
         1 on -: [stage-1 1/4] FROM base \n\
         2 on 1: [stage-1 2/4] COPY --from=FILES a /a context 1 -> /a\n\
         3 on -: FROM base \n\
         4 on 2: [stage-1 3/4] COPY --from=other b /b from 3 -> /b\n\
         5 on 4: [stage-1 4/4] COPY --from=0 c /c from 0 -> /c\n"
    );
}

#[test]
fn a_stage_can_start_from_the_files_of_a_context() {
    let named = [("files".to_owned(), Named::Files(0))];
    let asked = Asked { named: &named, ..PLAIN };
    let plan = planned("FROM files\nRUN ls\n", &asked).unwrap();
    assert_eq!(
        listing(&plan),
        "0 on -: [1/2] FROM files (tree) context 1 -> /\n\
         1 on 0: [2/2] RUN ls [\"/bin/sh\", \"-c\", \"ls\"] user= dir=/\n"
    );
    assert_eq!(history(&plan)[0], "0: FROM files");
}

#[test]
fn a_misspelled_named_context_is_recognised() {
    let named = [("sources".to_owned(), Named::Files(0))];
    let asked = Asked { named: &named, ..PLAIN };
    let Err(problems) = planned("FROM base\nCOPY --from=source a /\n", &asked) else { panic!("it is none") };
    assert_eq!(problems[0].help.as_deref(), Some("a named context with a similar name exists: `sources`"));
}

#[test]
fn units_of_one_plan_build_on_each_other() {
    let mut all = Plan::default();
    let images = OneImage { on_build: Vec::new() };
    let named = [("app".to_owned(), Named::Unit(0))];
    for (name, text) in [("app", "FROM base\nENV A=1\nRUN a\n"), ("test", "FROM app\nRUN $A\n")] {
        let dockerfile = Dockerfile::parse(text.as_bytes()).unwrap();
        let options = PlanOptions {
            target: None,
            build_args: &BTreeMap::new(),
            labels: &[],
            platform: &Platform::linux("amd64"),
            network: NetworkMode::Host,
            identity: "test",
            unit_name: name,
            context: FilesId(0),
            named: if name == "test" { &named } else { &[] },
            no_cache_stages: &[],
            sandbox: &Sandbox::default(),
            changes: &ImageChanges::default(),
            strict_platform: false,
        };
        assert!(plan(&mut all, &dockerfile, text, &options, &images).is_ok());
    }
    assert_eq!(
        listing(&all),
        "0 on -: [app 1/2] FROM base (tree) \n\
         1 on 0: [app 2/2] RUN a (tree) [\"/bin/sh\", \"-c\", \"a\"] user= dir=/\n\
         2 on 1: [test 1/1] RUN $A [\"/bin/sh\", \"-c\", \"$A\"] user= dir=/\n"
    );
    let Action::Run(run) = &all.steps[2].action else { panic!("a RUN") };
    assert!(run.env.contains(&("A".to_owned(), "1".to_owned())), "{:?}", run.env);
    assert_eq!(all.steps.iter().map(|step| step.unit).collect::<Vec<_>>(), [0, 0, 1]);
}

#[test]
fn what_a_step_takes_for_itself_is_refused_where_it_is_written() {
    let told = |text: &str, asked: &Asked<'_>| messages(text, asked).join("\n");
    let offline = Asked { network: NetworkMode::None, ..PLAIN };
    assert_eq!(
        told("FROM base\nRUN --network=host make\n", &offline),
        "\"--network=host\" the network of the host is not allowed in this build"
    );
    assert_eq!(
        told("FROM base\nRUN --security=insecure make\n", &PLAIN),
        "\"--security=insecure\" a step with every privilege is not allowed in this build"
    );
    assert!(planned("FROM base\nRUN --network=host make\n", &PLAIN).is_ok(), "they have it anyway");
    let allowed = Allowed { host_network: true, insecure: true, ..Allowed::default() };
    let sandbox = Sandbox { allowed, ..Sandbox::default() };
    let asked = Asked { sandbox: Some(&sandbox), ..offline };
    let plan = planned("FROM base\nRUN --network=host --security=insecure make\nRUN make\n", &asked).unwrap();
    let runs: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Run(run) => Some((run.network, run.privileges.insecure)),
            _ => None,
        })
        .collect();
    assert_eq!(runs, [(NetworkMode::Host, true), (NetworkMode::None, false)]);
}

#[test]
fn devices_are_looked_up_and_must_be_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let described = "cdiVersion: 0.6.0\nkind: v.com/gpu\ndevices:\n- name: a\n  containerEdits: {env: [A=1]}\n\
                     - name: b\n  annotations: {org.mobyproject.buildkit.device.autoallow: true}\n";
    std::fs::write(folder.path().join("v.yaml"), described).unwrap();
    let sandbox = |allowed, devices: &[&str]| Sandbox {
        allowed,
        devices: devices.iter().map(|name| (*name).to_owned()).collect(),
        device_folders: vec![folder.path().to_owned()],
        ..Sandbox::default()
    };
    let refused = sandbox(Allowed::default(), &[]);
    let asked = Asked { sandbox: Some(&refused), ..PLAIN };
    let told = |line: &str| messages(&format!("FROM base\n{line}\n"), &asked).join("\n");
    assert_eq!(
        told("RUN --device=v.com/gpu=a make"),
        "\"v.com/gpu=a\" the device `v.com/gpu=a` is not allowed in this build"
    );
    assert_eq!(
        told("RUN --device=name=v.com/gpu=c,required make"),
        "\"name=v.com/gpu=c,required\" no device `v.com/gpu=c` on this machine"
    );
    let plan = planned("FROM base\nRUN --device=v.com/gpu=b --device=v.com/fpga make\n", &asked).unwrap();
    assert_eq!(
        plan.units[0].warnings[0].message,
        "no device `v.com/fpga` on this machine: the step runs without it"
    );

    let allowed = Allowed { devices: vec!["v.com/gpu".to_owned()], ..Allowed::default() };
    let granted = sandbox(allowed, &["v.com/gpu=b"]);
    let asked = Asked { sandbox: Some(&granted), ..PLAIN };
    let plan = planned("FROM base\nRUN --device=v.com/gpu=* make\n", &asked).unwrap();
    let Some(Action::Run(run)) = plan.steps.last().map(|step| &step.action) else { panic!("no RUN") };
    let names: Vec<_> = run.privileges.devices.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["v.com/gpu=b", "v.com/gpu=a"]);
    let missing = sandbox(Allowed::default(), &["v.com/gpu=z"]);
    let asked = Asked { sandbox: Some(&missing), ..PLAIN };
    assert_eq!(messages("FROM base\nRUN make\n", &asked), ["\"\" no device `v.com/gpu=z` on this machine"]);
}

#[test]
fn stages_that_are_to_run_again_are_found_by_name_and_number() {
    let text = "FROM base AS one\nRUN a\nFROM base\nRUN b\nFROM one AS Two\nRUN c\nCOPY --from=1 /x /\n";
    let again = |names: &[&str]| -> Vec<String> {
        let plan = planned(text, &Asked { no_cache_stages: names, ..PLAIN }).unwrap();
        let steps =
            plan.steps.iter().filter(|step| step.anew.is_some() && !matches!(step.action, Action::Base(_)));
        steps.map(|step| step.summary.name.clone()).collect()
    };
    assert_eq!(again(&["ONE"]), ["[one 2/2] RUN a"]);
    assert_eq!(again(&["1"]), ["[stage-1 2/2] RUN b"]);
    assert_eq!(again(&["two", "1"]).len(), 3);
    let Err(problems) = planned(text, &Asked { no_cache_stages: &["tow"], ..PLAIN }) else {
        panic!("planned")
    };
    assert_eq!(problems[0].message, "no stage named `tow`");
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `two`?"));
}

#[test]
fn an_image_can_be_changed_from_outside() {
    let changed = ImageChanges {
        first_base: Some("base".to_owned()),
        env: vec![("A".to_owned(), "outside".to_owned()), ("N".to_owned(), "1".to_owned())],
        unset_env: vec!["LANG".to_owned()],
        ..ImageChanges::default()
    };
    let asked = Asked { changes: Some(&changed), ..PLAIN };
    let plan = planned("FROM missing\nENV A=file\nRUN make\n", &asked).unwrap();
    assert_eq!(plan.units[0].result.config.config.env, ["PATH=/bin", "A=outside", "N=1"]);
    let Some(Action::Run(run)) = plan.steps.last().map(|step| &step.action) else { panic!("no RUN") };
    let names: Vec<&str> = run.env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["PATH", "LANG", "A"], "steps see what the Dockerfile says");
    let later = planned("FROM base\nFROM missing\n", &asked);
    assert!(later.is_err(), "only the first stage has another base");
}
