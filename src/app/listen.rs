//! Step 1, listen: arguments, environment and file become settings.

use std::ffi::OsString;
use std::path::Path;

use zeroize::Zeroizing;

use crate::base::failure::Cause;
use crate::base::limits::MEBIBYTE;
use crate::cli::{self, Heard, Invocation, Listener, Naming, Page};
use crate::edge::ci::{Environment, FileError, Found, Host, Paths, Room, read_named};

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
        Heard::Command(listener) => settle(listener, environment, host),
    }
}

fn settle(listener: Box<Listener>, environment: &Environment, host: Host) -> Result<Heeded, Cause> {
    let read = |path: &Path| configuration(path, environment, host);
    let config = listener.config().map(read).transpose();
    let config = config.map_err(|error| Cause::of(&error).within(&listener.spell("config")))?;
    let invocation = listener
        .settle(config.as_ref().map(|bytes| bytes.as_slice()))
        .map_err(|error| Cause::of(&error))?;
    Ok(Heeded::Invocation(Box::new(invocation)))
}

/// The configuration file: in CI one of the workspace, as every file that an earlier step may have named.
fn configuration(
    path: &Path,
    environment: &Environment,
    host: Host,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    if host == Host::Terminal {
        return read_named(path);
    }
    match Room::of(host, environment).read(path, MEBIBYTE)? {
        Found::File(bytes, _) => Ok(Zeroizing::new(bytes)),
        Found::Directory(_) => Err(FileError {
            path: path.display().to_string(),
            problem: "expected a regular file".to_owned(),
        }),
    }
}
