//! What ties an image to the run that vouches for it; judged from what was found, never fetched here.

use std::collections::BTreeMap;

use super::{Account, Parameter};
use crate::base::foreign::{Foreign, quote};
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::time::Timestamp;
use crate::base::tree::Cursor;
use crate::domain::oci::Digest;

/// The label with the commit (OCI image specification 1.1, "Annotations").
const REVISION: &str = "org.opencontainers.image.revision";

/// The label with the repository.
const SOURCE: &str = "org.opencontainers.image.source";

/// The run that vouches for an image, by what an image can show of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    source: Option<String>,
    commit: Option<String>,
    invocation: Option<String>,
    began: Option<Timestamp>,
}

impl From<&Account> for Run {
    fn from(account: &Account) -> Self {
        let facts = &account.facts;
        let text = |parameter: Option<&Parameter>| match parameter {
            Some(Parameter::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let external = &facts.external_parameters;
        let workflow = match external.get("workflow") {
            Some(Parameter::Map(workflow)) => text(workflow.get("repository")),
            _ => None,
        };
        let source = facts.resolved_dependencies.first();
        Self {
            source: workflow.or_else(|| text(external.get("source"))),
            commit: source.and_then(|source| source.digest.get("gitCommit").cloned()),
            invocation: facts.invocation_id.clone(),
            began: account.began(),
        }
    }
}

/// What ties an image to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Annotations of its manifest that name the run's commit and repository.
    Annotations,
    /// Labels of every platform's configuration that do.
    Labels,
    /// `BuildKit`'s provenance for every platform, which names the run itself.
    BuildKit,
    /// The registry, which says that the image was pushed after the run began, by the word of somebody other than the
    /// run.
    Pushed,
    /// Nothing, and what was found instead.
    Unbound(Vec<String>),
}

impl Binding {
    /// The word in the report where nothing ties.
    pub const NONE: &'static str = "none";

    /// The word in the report.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Annotations => "annotations",
            Self::Labels => "labels",
            Self::BuildKit => "buildkit",
            Self::Pushed => "pushed",
            Self::Unbound(_) => Self::NONE,
        }
    }
}

impl Run {
    /// Whether labels, or annotations of a manifest, name this run's commit and repository; both have to.
    ///
    /// # Errors
    /// What was found instead.
    pub fn is_labelled(&self, labels: &BTreeMap<String, Foreign>) -> Result<(), String> {
        let checked = [
            (REVISION, self.commit.as_deref()),
            (SOURCE, self.source.as_deref()),
        ];
        for (name, expected) in checked {
            let expected =
                expected.ok_or_else(|| format!("the provenance says nothing that {name} could equal"))?;
            let found = labels.get(name).ok_or_else(|| format!("no {name}"))?;
            let fits = match name {
                SOURCE => same_repository(expected, found.raw()),
                _ => expected == found.raw(),
            };
            if !fits {
                return Err(format!(
                    "{name} is {}, expected {}",
                    found.quote(),
                    quote(expected)
                ));
            }
        }
        Ok(())
    }

    /// Whether the time of a push can say anything: somebody other than the run says when it began.
    pub const fn has_beginning(&self) -> bool {
        self.began.is_some()
    }

    /// Whether an image was pushed after the run began; none where the registry does not say when.
    ///
    /// # Errors
    /// What was found instead.
    pub fn began_before(&self, pushed: Option<Timestamp>) -> Result<(), String> {
        let began = self.began.ok_or("nobody but the job says when it began")?;
        let pushed = pushed.ok_or("the registry does not say when the image was pushed")?;
        if pushed > began {
            Ok(())
        } else {
            Err(format!(
                "the image was pushed at {pushed}, not after the build began at {began}"
            ))
        }
    }

    /// Whether an image's configuration (OCI image specification 1.1, `config.md`) is labelled so.
    ///
    /// # Errors
    /// What was found instead.
    pub fn is_labelled_in(&self, config: &[u8]) -> Result<(), String> {
        let document = json::read(config, Bounds::MANIFEST);
        let document = document.map_err(|_| "a configuration that is no JSON".to_owned())?;
        let labels = document.cursor().pointer("/config/Labels");
        let labels = labels.and_then(|labels| labels.object().ok());
        let texts = labels.iter().flat_map(|labels| {
            let text = |(name, value): (&str, Cursor<'_>)| {
                Some((name.to_owned(), Foreign::new(value.string().ok()?)))
            };
            labels.members().filter_map(text).collect::<Vec<_>>()
        });
        self.is_labelled(&texts.collect())
    }

    /// Whether a statement that `BuildKit` put beside a platform's manifest (`BuildKit`, "Attestation storage", SLSA
    /// provenance v0.2 or v1) is about that manifest and names this run as its builder, as `docker/build-push-action`
    /// has it. Nobody signed it; what is signed is the index that holds it.
    ///
    /// # Errors
    /// What was found instead.
    pub fn is_named_by(&self, statement: &[u8], platform: &Digest) -> Result<(), String> {
        let document = json::read(statement, Bounds::STATEMENT);
        let document = document.map_err(|_| "BuildKit's provenance is no JSON".to_owned())?;
        let at = |pointer: &str| document.cursor().pointer(pointer);
        let subjects = at("/subject")
            .and_then(|list| list.array().ok())
            .unwrap_or_default();
        let hex = format!("/digest/{}", platform.algorithm().name());
        let about = subjects.iter().any(|subject| {
            let digest = subject.pointer(&hex);
            digest.is_some_and(|digest| digest.string() == Ok(platform.hex()))
        });
        if !about {
            return Err("BuildKit's provenance is about another manifest".to_owned());
        }
        let builder = ["/predicate/runDetails/builder/id", "/predicate/builder/id"]
            .into_iter()
            .find_map(|pointer| at(pointer).and_then(|id| id.string().map(str::to_owned).ok()))
            .unwrap_or_default();
        let run = self.invocation.as_deref().map(without_attempt);
        if !builder.is_empty() && run == Some(without_attempt(&builder)) {
            Ok(())
        } else {
            Err(format!(
                "BuildKit's provenance names the builder {}",
                quote(&builder)
            ))
        }
    }
}

/// A run's address without its attempt: what the first attempt built may be signed by the second.
fn without_attempt(invocation: &str) -> &str {
    invocation
        .split_once("/attempts/")
        .map_or(invocation, |(run, _)| run)
}

/// Whether two addresses are of one Git repository, however it is spelt.
fn same_repository(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let text = text.strip_prefix("git+").unwrap_or(text).trim_end_matches('/');
        text.strip_suffix(".git").unwrap_or(text).to_owned()
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::provenance::Voucher;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const RUN: &str = "https://github.com/octo-org/app/actions/runs/42";

    fn run() -> Run {
        let source = format!("https://github.com/octo-org/app@{COMMIT}")
            .parse()
            .unwrap();
        let account = Account::manual("https://b.example/1".parse().unwrap(), source);
        Run {
            source: Some("https://github.com/octo-org/app".to_owned()),
            invocation: Some(format!("{RUN}/attempts/2")),
            ..Run::from(&account)
        }
    }

    fn labelled(revision: &str, source: &str) -> Result<(), String> {
        let labels = [(REVISION, revision), (SOURCE, source)];
        let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
        run().is_labelled(
            &labels
                .map(|(name, value)| (name.to_owned(), Foreign::new(value)))
                .collect(),
        )
    }

    #[test]
    fn labels_tie_where_commit_and_repository_are_the_runs() {
        for source in [
            "https://github.com/octo-org/app",
            "https://github.com/octo-org/app.git",
            "git+https://github.com/octo-org/app/",
        ] {
            assert_eq!(labelled(COMMIT, source), Ok(()), "{source}");
        }
        let good = "https://github.com/octo-org/app";
        assert_eq!(labelled("", good), Err(format!("no {REVISION}")));
        assert_eq!(labelled(COMMIT, ""), Err(format!("no {SOURCE}")));
        assert!(labelled(&COMMIT[..7], good).is_err(), "a short name is anybody's");
        assert!(labelled(&COMMIT.to_uppercase(), good).is_err());
        assert!(labelled(COMMIT, "https://github.com/octo-org/app2").is_err());
        assert!(labelled(COMMIT, "https://evil.example/octo-org/app").is_err());
    }

    #[test]
    fn a_push_ties_where_somebody_else_says_that_it_came_later() {
        let at = Timestamp::from_unix;
        let mut account = Account::manual(
            "https://b.example/1".parse().unwrap(),
            "https://g.example/r".parse().unwrap(),
        );
        account.facts.started_on = Some(at(100));
        let typed = Run::from(&account);
        assert!(!typed.has_beginning() && typed.began_before(Some(at(200))).is_err());
        account.voucher = Voucher::Record("arn".to_owned());
        let recorded = Run::from(&account);
        assert!(recorded.has_beginning());
        assert_eq!(recorded.began_before(Some(at(101))), Ok(()));
        for pushed in [None, Some(at(99)), Some(at(100))] {
            assert!(recorded.began_before(pushed).is_err(), "{pushed:?}");
        }
    }

    #[test]
    fn a_configuration_is_read_as_far_as_its_labels() {
        let config =
            |labels: &str| run().is_labelled_in(format!(r#"{{"config":{{"Labels":{labels}}}}}"#).as_bytes());
        let good =
            format!(r#"{{"{REVISION}":"{COMMIT}","{SOURCE}":"https://github.com/octo-org/app","n":1}}"#);
        assert_eq!(config(&good), Ok(()));
        for other in ["null", "{}", "[]", "7"] {
            assert!(config(other).is_err(), "{other}");
        }
        assert!(run().is_labelled_in(b"<html>").is_err());
        assert!(run().is_labelled_in(b"{}").is_err());
    }

    #[test]
    fn buildkits_provenance_ties_where_it_names_the_run_and_the_platform() {
        let platform = Digest::of(b"amd64");
        let judge = |subject: &Digest, predicate: &str| {
            let text = format!(
                r#"{{"_type":"https://in-toto.io/Statement/v0.1","subject":[{{"digest":{{"sha256":"{}"}}}}],"predicate":{predicate}}}"#,
                subject.hex()
            );
            run().is_named_by(text.as_bytes(), &platform)
        };
        for attempt in ["/attempts/1", "/attempts/2", ""] {
            let old = format!(r#"{{"builder":{{"id":"{RUN}{attempt}"}}}}"#);
            let new = format!(r#"{{"runDetails":{{"builder":{{"id":"{RUN}{attempt}"}}}}}}"#);
            assert_eq!((judge(&platform, &old), judge(&platform, &new)), (Ok(()), Ok(())));
            assert!(judge(&Digest::of(b"arm64"), &new).is_err());
        }
        for other in [
            "",
            "https://github.com/octo-org/app/actions/runs/421",
            "https://mobyproject.org/buildkit@v1",
        ] {
            let builder = format!(r#"{{"builder":{{"id":"{other}"}}}}"#);
            assert!(judge(&platform, &builder).is_err(), "{other}");
        }
        assert!(judge(&platform, "{}").is_err());
        assert!(run().is_named_by(b"", &platform).is_err());
    }
}
