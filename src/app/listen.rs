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

/// Reads arguments, variables and the configuration file that they name.
pub(super) fn listen(argv: Vec<OsString>, environment: &Environment, host: Host) -> Result<Heeded, Cause> {
    let naming = match host {
        Host::GitHub => Naming::Inputs,
        Host::GitLab | Host::CodeBuild | Host::Bitbucket | Host::Jenkins | Host::Terminal => {
            Naming::Variables
        }
    };
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
