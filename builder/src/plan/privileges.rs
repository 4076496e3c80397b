//! What a RUN takes for itself: the host's network, all privileges, devices. What the user did not allow is refused
//! where it is written.

use std::ops::Range;

use tug_dockerfile::{Device as Wanted, Instruction, Network, Run, Security};

use super::evaluate::StageState;
use super::stages::Planner;
use super::transfer::flag_span;
use crate::cdi::{Device, Registry};
use crate::error::Problem;
use crate::options::NetworkMode;
use crate::sandbox::Allowed;

/// What a RUN gets beyond the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Privileges {
    /// All capabilities, no system call filter, nothing hidden.
    pub insecure: bool,
    /// Devices of this machine.
    pub devices: Vec<Device>,
}

impl StageState {
    /// The network of a RUN.
    pub(super) fn network(
        &self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        run: &Run,
    ) -> NetworkMode {
        let of_build = planner.options.network;
        match run.network {
            None | Some(Network::Default) => of_build,
            Some(Network::None) => NetworkMode::None,
            Some(Network::Host) => {
                // Where steps have the host's network anyway, this asks for nothing new.
                if of_build != NetworkMode::Host && !planner.options.sandbox.allowed.host_network {
                    let span = self.place_of(flag_span(instruction, "network"));
                    planner.problems.push(
                        Problem::new(span, "the network of the host is not allowed in this build")
                            .label("the build was told to have no network")
                            .help("allow it with `--allow network.host`"),
                    );
                }
                NetworkMode::Host
            }
        }
    }

    /// The privileges of a RUN. `None` when there is a problem with them.
    pub(super) fn privileges(
        &self,
        planner: &mut Planner<'_>,
        instruction: &Instruction,
        run: &Run,
    ) -> Option<Privileges> {
        let before = planner.problems.len();
        let insecure = run.security == Some(Security::Insecure);
        if insecure && !planner.options.sandbox.allowed.insecure {
            let span = self.place_of(flag_span(instruction, "security"));
            planner.problems.push(
                Problem::new(span, "a step with every privilege is not allowed in this build")
                    .label("it could do to this machine what you can")
                    .help("if you trust this Dockerfile, allow it with `--allow security.insecure`"),
            );
        }
        let mut devices = planner.devices.clone();
        for wanted in &run.devices {
            for device in self.devices(planner, wanted) {
                if !devices.contains(&device) {
                    devices.push(device);
                }
            }
        }
        (planner.problems.len() == before).then_some(Privileges { insecure, devices })
    }

    fn devices(&self, planner: &mut Planner<'_>, wanted: &Wanted) -> Vec<Device> {
        let Some(name) = self.expand(planner, &wanted.name) else { return Vec::new() };
        let span = self.place_of(wanted.name.span.range());
        let found = match planner.registry().select(&name) {
            Ok(found) => found,
            Err(unknown) => {
                let message = match wanted.required {
                    true => unknown.message,
                    false => format!("{}: the step runs without it", unknown.message),
                };
                let problem = Problem::new(span, message).help(unknown.help);
                let list = if wanted.required { &mut planner.problems } else { &mut planner.warnings };
                list.push(problem);
                return Vec::new();
            }
        };
        let allowed = &planner.options.sandbox.allowed;
        let refused = found.iter().find(|device| !is_allowed(allowed, &name, device));
        if let Some(device) = refused {
            let name = &device.name;
            let problem = Problem::new(span, format!("the device `{name}` is not allowed in this build"))
                .help(format!(
                    "allow it with `--allow device={name}`, or every device with `--allow device`"
                ));
            planner.problems.push(problem);
            return Vec::new();
        }
        warn_of_what_is_left_out(planner, &found, &span);
        found
    }
}

impl Planner<'_> {
    /// The devices that every RUN gets. Those that are not there are problems without a place.
    pub(super) fn find_devices(&mut self) {
        for name in &self.options.sandbox.devices {
            match self.registry().select(name) {
                Ok(found) => {
                    warn_of_what_is_left_out(self, &found, &(0..0));
                    self.devices.extend(found);
                }
                Err(unknown) => {
                    self.problems.push(Problem::new(0..0, unknown.message).help(unknown.help));
                }
            }
        }
    }

    fn registry(&self) -> &Registry {
        self.registry.get_or_init(|| Registry::read(&self.options.sandbox.device_folders))
    }
}

fn is_allowed(allowed: &Allowed, asked: &str, device: &Device) -> bool {
    let is_named = |known: &String| {
        let kind = device.name.split('=').next();
        *known == device.name
            || known == asked
            || Some(known.as_str()) == kind
            || device.class.as_ref() == Some(known)
    };
    device.is_for_everybody || allowed.all_devices || allowed.devices.iter().any(is_named)
}

fn warn_of_what_is_left_out(planner: &mut Planner<'_>, devices: &[Device], span: &Range<usize>) {
    for device in devices.iter().filter(|device| !device.edits.left_out.is_empty()) {
        let message = format!("of `{}` tug leaves out {}", device.name, device.edits.left_out.join(", "));
        planner.warnings.push(Problem::new(span.clone(), message));
    }
}
