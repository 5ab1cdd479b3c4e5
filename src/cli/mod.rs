//! Say what was asked: the table of inputs, environment and file as arguments, arguments as settings.
//!
//! For: one table from which help, README, action.yml and the mapping of variables are made; one parser for all of
//! them; messages that name an argument as its host spells it.
//! Not for: reading the environment or files (`edge/ci/env`, `app/`), or doing anything.
//! Speaks: POSIX-like long options; `INPUT_*` as the GitHub runner hands inputs over; YAML for the file.
//!
//! ```
//! use std::collections::BTreeMap;
//! use countersign::cli::{Heard, Naming, Settings, listen};
//!
//! let argv = ["countersign", "targets", "oci:build/web:1.4"].map(Into::into);
//! let Heard::Command(listener) = listen(argv.to_vec(), &BTreeMap::new(), Naming::Variables)? else {
//!     unreachable!("no help was asked for");
//! };
//! let Settings::Targets(targets) = listener.settle(None)?.settings else { unreachable!() };
//! assert_eq!(targets.images[0].text, "oci:build/web:1.4");
//! # Ok::<(), countersign::cli::CliError>(())
//! ```

mod args;
mod config;
mod error;
mod images;
mod inputs;
mod origin;
mod pages;
mod services;
mod settings;
mod table;
mod words;

pub use error::{CliError, ConfigProblem};
pub use images::{ImageKind, ImageText};
pub use inputs::{Heard, Listener, Page, listen, warnings};
pub use origin::{Naming, Origin, Origins};
pub use pages::{action_inputs, exit_codes_table, inputs_table, variables_table};
pub use services::{AwsSettings, RegistrySettings, ServiceSettings};
pub use settings::{
    Asked, CopySettings, DemoSettings, DownloadSettings, ExplainSettings, InspectSettings, Invocation,
    KeyChoice, Look, NOTATION, ProvenanceWish, ReportSettings, RunSettings, Settings, SummaryWish,
    TargetsSettings, TaskSettings, TrustFiles, VerifySettings,
};
pub use words::{Color, FailOn, Format, Overrides, TargetsFormat, Untrusted};
