//! Notices: what kept countersign from an answer. In SARIF they are tool notifications, never results.

use super::{Entry, Precision, help_uri, page_of};
use crate::base::failure::Class;
use crate::domain::plan::Step;
use crate::domain::report::{Failure, Level};

/// Every notice; ids are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Notice {
    /// A store did not answer well.
    RegistryUnreachable,
    /// The signer did not answer well.
    SignerUnavailable,
    /// Credentials or a permission are lacking.
    Credentials,
    /// A target was not finished.
    PartialRun,
    /// The run was stopped from outside.
    Cancelled,
}

impl Notice {
    /// Every notice, in the order of the ids.
    pub const ALL: &[Self] = &[
        Self::RegistryUnreachable,
        Self::SignerUnavailable,
        Self::Credentials,
        Self::PartialRun,
        Self::Cancelled,
    ];

    /// The notice that a failure is shown as.
    pub const fn of(failure: &Failure) -> Self {
        match (failure.cause.class, failure.step) {
            (Class::Unavailable, Step::Sign) => Self::SignerUnavailable,
            (Class::Unavailable, _) => Self::RegistryUnreachable,
            (Class::Refused, _) => Self::Credentials,
            _ => Self::PartialRun,
        }
    }

    /// The published id, as `CSN900`.
    pub const fn id(self) -> &'static str {
        self.entry().id
    }

    /// The name, as `registry-unreachable`.
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// One line that says what happened.
    pub const fn title(self) -> &'static str {
        self.entry().title
    }

    /// What it means, in a few sentences.
    pub const fn meaning(self) -> &'static str {
        self.entry().meaning
    }

    /// What to do about it.
    pub const fn fix(self) -> &'static str {
        self.entry().fix
    }

    /// The page about the notice, at this version.
    pub fn help_uri(self) -> String {
        help_uri(self.id())
    }

    /// The page of the notice, as it stands in `docs/rules/`.
    pub fn page(self) -> String {
        page_of(self.entry())
    }

    const fn entry(self) -> &'static Entry {
        match self {
            Self::RegistryUnreachable => &REGISTRY_UNREACHABLE,
            Self::SignerUnavailable => &SIGNER_UNAVAILABLE,
            Self::Credentials => &CREDENTIALS,
            Self::PartialRun => &PARTIAL_RUN,
            Self::Cancelled => &CANCELLED,
        }
    }
}

const REGISTRY_UNREACHABLE: Entry = Entry {
    id: "CSN900",
    name: "registry-unreachable",
    level: Level::Error,
    severity: "",
    precision: Precision::VeryHigh,
    title: "The registry or layout did not answer well",
    meaning: "The place where the image is kept could not be read or written after all retries. Nothing is known about the \
              image's signatures: this is not an answer, neither yes nor no.",
    fix: "Run again. If it stays, look at the service, step and status in the message, and at proxies and certificates \
          between here and the registry.",
};

const SIGNER_UNAVAILABLE: Entry = Entry {
    id: "CSN901",
    name: "signer-unavailable",
    level: Level::Error,
    severity: "",
    precision: Precision::VeryHigh,
    title: "The signer did not answer well",
    meaning: "The signing service could not be reached, or kept answering with faults or throttling, after all retries. \
              Nothing was signed where the message says so.",
    fix: "Run again: what is signed already is kept. If it stays, look at the service's health and quotas in the region \
          of the signing profile.",
};

const CREDENTIALS: Entry = Entry {
    id: "CSN902",
    name: "credentials",
    level: Level::Error,
    severity: "",
    precision: Precision::VeryHigh,
    title: "Credentials or a permission are lacking",
    meaning: "A service refused what was asked: there are no credentials, they expired, or they lack the permission that \
              the message names. No permission to look never counts as nothing being there.",
    fix: "Grant exactly the permission that the message names, or give the job the token it lacks. The permissions that a \
          run needs follow from its plan.",
};

const PARTIAL_RUN: Entry = Entry {
    id: "CSN903",
    name: "partial-run",
    level: Level::Error,
    severity: "",
    precision: Precision::VeryHigh,
    title: "A target was not finished",
    meaning: "Something stopped the work on a target, or on the whole run, before its goal. The message says at which step \
              and why, and the report lists what was public by then.",
    fix: "Fix what the message names and run again: finished targets are kept, and an unfinished one is completed without \
          leaving duplicates.",
};

const CANCELLED: Entry = Entry {
    id: "CSN904",
    name: "cancelled",
    level: Level::Error,
    severity: "",
    precision: Precision::VeryHigh,
    title: "The run was stopped from outside",
    meaning: "A signal or the pipeline's own time limit stopped the run. Targets that had not begun were not touched; the \
              report lists what was done by then.",
    fix: "Run again: finished targets are kept, and an unfinished one is completed without leaving duplicates.",
};
