//! What a provenance says of its build, under one name for every build type.

use super::{Attested, Kind};

/// One thing that a provenance says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// `runDetails.builder.id`.
    Builder,
    /// The source repository.
    Source,
    /// The branch or tag that was built.
    Ref,
    /// The commit that was built.
    Commit,
    /// The workflow or pipeline file.
    Workflow,
    /// What started the run.
    Event,
    /// Whose machine it ran on, as the host calls it.
    RunnerEnvironment,
}

impl Member {
    /// Every one, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Builder,
        Self::Source,
        Self::Ref,
        Self::Commit,
        Self::Workflow,
        Self::Event,
        Self::RunnerEnvironment,
    ];

    /// Its key in an expectations file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Builder => "builder",
            Self::Source => "source",
            Self::Ref => "ref",
            Self::Commit => "commit",
            Self::Workflow => "workflow",
            Self::Event => "event",
            Self::RunnerEnvironment => "runner-environment",
        }
    }

    /// Where build types write it: GitHub's `workflow/v1` and ours for other events, then ours for GitLab, CodeBuild
    /// and builds by hand (`docs/buildtypes/`).
    const fn pointers(self) -> &'static [&'static str] {
        match self {
            Self::Builder => &["/predicate/runDetails/builder/id"],
            Self::Source => &[
                "/predicate/buildDefinition/externalParameters/workflow/repository",
                "/predicate/buildDefinition/externalParameters/source",
            ],
            Self::Ref => &[
                "/predicate/buildDefinition/externalParameters/workflow/ref",
                "/predicate/buildDefinition/externalParameters/ref",
                "/predicate/buildDefinition/externalParameters/sourceVersion",
            ],
            Self::Commit => &["/predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit"],
            Self::Workflow => &[
                "/predicate/buildDefinition/externalParameters/workflow/path",
                "/predicate/buildDefinition/externalParameters/configPath",
            ],
            Self::Event => &[
                "/predicate/buildDefinition/internalParameters/github/event_name",
                "/predicate/buildDefinition/externalParameters/pipelineSource",
            ],
            Self::RunnerEnvironment => &[
                "/predicate/buildDefinition/internalParameters/github/runner_environment",
                "/predicate/buildDefinition/internalParameters/runnerEnvironment",
            ],
        }
    }

    /// What a provenance says of it: the first of its places that holds a text.
    pub fn of(self, attested: &Attested) -> Option<&str> {
        if attested.kind() != Some(Kind::Provenance) {
            return None;
        }
        self.pointers().iter().find_map(|pointer| attested.text(pointer))
    }
}
