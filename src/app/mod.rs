//! Composition: the one place that knows every room. Settings become backends, the job runs, its report is published.
//!
//! For: one small file per command, the choice of backends, and what is left behind.
//! Not for: decisions; those are made in `domain/` and `job/`, or said by `cli/`.
//! Speaks: nothing foreign.
//!
//! ```
//! use countersign::job::stop_channel;
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! let (_stopper, stop) = stop_channel();
//! let argv = ["countersign", "targets", "web:1.4"].map(Into::into).to_vec();
//! assert_eq!(runtime.block_on(countersign::app::call(argv, &stop)), 2);
//! # Ok::<(), std::io::Error>(())
//! ```

mod allow;
mod asked;
mod backends;
mod carriers;
mod claimed;
mod claims;
mod copy;
mod demo;
mod derive;
mod download;
mod event;
mod expect;
mod explain;
mod handed;
mod identity;
mod images;
mod inspect;
mod listen;
mod logins;
mod network;
mod overrides;
mod predicates;
mod printed;
mod publish;
mod recorded;
mod run;
mod services;
mod signals;
mod signer;
mod targets;
mod token;
mod trust;
mod verify;
mod watch;

use std::ffi::OsString;

use self::listen::{Heeded, listen};
use self::printed::{print, refused, said, writer};
use crate::base::failure::{Cause, Class};
use crate::cli::{Invocation, Look, Settings};
use crate::edge::ci::{Environment, Host, Writer};
use crate::job::{Stop, stop_channel};

/// What one call works in.
struct Scene<'a> {
    host: Host,
    environment: &'a Environment,
    writer: &'a Writer,
    stop: &'a Stop,
}

/// Carries out one call of the program unless a signal ends it, and returns its exit code.
pub async fn start(argv: Vec<OsString>) -> u8 {
    let (stopper, stop) = stop_channel();
    let Ok(signals) = signals::Signals::install() else {
        return call(argv, &stop).await;
    };
    tokio::select! {
        biased;
        code = signals.watch(stopper) => code,
        code = call(argv, &stop) => code,
    }
}

/// Carries out one call of the program, and returns its exit code.
pub async fn call(argv: Vec<OsString>, stop: &Stop) -> u8 {
    let read = Environment::read();
    let environment = read.as_ref().cloned().unwrap_or_default();
    let host = Host::detect(&environment);
    let plain = writer(host, &environment, Look::default());
    let warnings = listen::warnings(&argv, &environment, host);
    let invocation = read
        .map_err(|error| Cause::of(&error))
        .and_then(|environment| listen(argv, &environment, host));
    match invocation {
        Err(cause) => {
            for warning in &warnings {
                plain.warning(warning);
            }
            refused(&plain, &cause)
        }
        Ok(Heeded::Page(page)) => print(&plain, &page),
        Ok(Heeded::Invocation(invocation)) => {
            let writer = writer(host, &environment, invocation.look);
            for warning in &invocation.warnings {
                writer.warning(warning);
            }
            let scene = Scene {
                host,
                environment: &environment,
                writer: &writer,
                stop,
            };
            let done = Box::pin(dispatch(*invocation, &scene)).await;
            done.unwrap_or_else(|cause| refused(&writer, &cause))
        }
    }
}

/// Says that a panic was caught; its payload is not shown, since it may hold anything.
pub fn internal(place: Option<&str>) -> u8 {
    let environment = Environment::read().unwrap_or_default();
    let writer = writer(Host::detect(&environment), &environment, Look::default());
    refused(&writer, &bug(place.unwrap_or("an unknown place")))
}

/// The error for what cannot happen.
fn bug(place: &str) -> Cause {
    Cause {
        class: Class::Internal,
        message: format!("countersign {} met a bug: {place}", env!("CARGO_PKG_VERSION")),
        hint: Some("please report it, with the command and its output".to_owned()),
    }
}

async fn dispatch(invocation: Invocation, scene: &Scene<'_>) -> Result<u8, Cause> {
    let origins = &invocation.origins;
    match invocation.settings {
        Settings::Demo(settings) => demo::demo(&settings, origins, scene).await,
        Settings::Copy(settings) => copy::copy(&settings, scene).await,
        Settings::Run(settings) => run::run("run", &settings, origins, scene).await,
        Settings::Attest(settings) => run::run("attest", &settings, origins, scene).await,
        Settings::Verify(settings) => verify::verify(&settings, scene).await,
        Settings::Inspect(settings) => Box::pin(inspect::inspect(&settings, scene)).await,
        Settings::Download(settings) => Box::pin(download::download(&settings, scene)).await,
        Settings::Explain(settings) => explain::explain(&settings, scene).await,
        Settings::Targets(settings) => targets::targets(&settings, scene).await,
        Settings::Print(page) => Ok(print(scene.writer, &page)),
    }
}
