//! Step 1, listen: arguments, environment and file become settings.

use std::ffi::OsString;

use crate::base::failure::Cause;
use crate::cli::{self, Heard, Invocation, Listener, Naming, Page};
use crate::edge::ci::{Environment, Host, Paths, read_named};

/// What was asked.
pub(super) enum Heeded {
    Page(Page),
    Invocation(Box<Invocation>),
}

/// How inputs are named where this runs.
fn naming(host: Host) -> Naming {
    match host {
        Host::GitHub => Naming::Inputs,
        Host::GitLab | Host::CodeBuild | Host::Bitbucket | Host::Jenkins | Host::Terminal => {
            Naming::Variables
        }
    }
}

/// What there is to warn of, whatever becomes of the arguments.
pub(super) fn warnings(argv: &[OsString], environment: &Environment, host: Host) -> Vec<String> {
    cli::warnings(argv, environment.variables(), naming(host))
}

/// Reads arguments, variables and the configuration file that they name.
pub(super) fn listen(argv: Vec<OsString>, environment: &Environment, host: Host) -> Result<Heeded, Cause> {
    let naming = naming(host);
    let here = match naming {
        Naming::Inputs => Paths::of(environment).map(|paths| paths.in_inputs(environment.variables())),
        Naming::Variables | Naming::Flags => None,
    };
    let variables = here.as_ref().unwrap_or(environment.variables());
    match cli::listen(argv, variables, naming).map_err(|error| Cause::of(&error))? {
        Heard::Print(page) => Ok(Heeded::Page(page)),
        Heard::Command(listener) => settle(listener),
    }
}

fn settle(listener: Box<Listener>) -> Result<Heeded, Cause> {
    let config = listener.config().map(read_named).transpose();
    let config = config.map_err(|error| Cause::of(&error).within(&listener.spell("config")))?;
    let invocation = listener
        .settle(config.as_ref().map(|bytes| bytes.as_slice()))
        .map_err(|error| Cause::of(&error))?;
    Ok(Heeded::Invocation(Box::new(invocation)))
}
