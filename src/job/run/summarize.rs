//! Summing up what a run verified, for whoever checks one small document later.
//!
//! It comes last, when everything else is stored, read back and accepted, and it names exactly what that rested on. It
//! is signed, stored, read back and judged as every other attestation is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::attest::{self, Wish};
use super::build::Build;
use super::{Looked, Run, local_signer};
use crate::base::failure::Cause;
use crate::base::foreign::Foreign;
use crate::base::limits::REFERRERS_WARNED;
use crate::domain::oci::{Digest, Place, Repository};
use crate::domain::plan::{Action, Step};
use crate::domain::provenance::{BuildLevel, Input, Kind, Summary, supported_by_document};
use crate::domain::report::{Checked, Finding, Level, Rule, TargetState};
use crate::domain::trust::expectation::Expectations;
use crate::domain::trust::{Applicable, JudgedBy};
use crate::job::ended::Ended;
use crate::job::judge::Judged;
use crate::job::observe::{Observed, ObservedAttestation};
use crate::job::progress::Progress;
use crate::job::{Unbound, scope};
use crate::seams::{Observer, Revocation, Signer, SignerIdentity, WriteStore};

/// Whoever holds a key file: the signature alone tells who that is.
const LOCAL_KEY: &str =
    "https://github.com/countersign/countersign/blob/vsa-v1/docs/verification-summary.md#local-key";

/// A policy that follows from the signer itself, or asks no more than such a one.
const SELF_CHECKED: &str =
    "https://github.com/countersign/countersign/blob/vsa-v1/docs/verification-summary.md#self-checked";

/// A policy that somebody gave and that asks for more.
const VERIFIED: &str =
    "https://github.com/countersign/countersign/blob/vsa-v1/docs/verification-summary.md#verified";

/// What the plan says of a summary that was planned and is not made after all.
const WITHHELD: &str = "no new vsa: this run says no, and a run that says no sums nothing up";

/// What the plan says in the place of what was planned for a summary; nothing where nothing was.
pub(super) fn withheld(planned: &[Action]) -> Vec<String> {
    planned.first().map(|_| WITHHELD.to_owned()).into_iter().collect()
}

/// What became of a summary.
pub(super) enum Summed {
    /// It stands, or nobody asked for one; and what is worth a note.
    Done(Vec<Finding>),
    /// A finding fails the run.
    Withheld,
}

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Whether an action is about the summary, which comes after everything else.
    pub(super) fn is_of_summary(&self, action: &Action) -> bool {
        let what = match action {
            Action::Attest { what } | Action::KeepAttestation { what, .. } | Action::Remove { what, .. } => {
                what
            }
            Action::Sign | Action::SignAgain { .. } | Action::KeepSignature { .. } => return false,
        };
        self.job.summary.is_some() && what == Kind::Vsa.name()
    }

    /// What the summary of an image would say, given what is there; none where nobody asked for one. It says so of what
    /// was accepted, which it takes for granted: [`Self::sum_up`] sees to that.
    pub(super) fn summary(&self, looked: &Looked, observed: &Observed, names: &[String]) -> Option<Summary> {
        let trust = self
            .judge
            .trust
            .filter(|_| self.job.summary.is_some() && looked.unit.root)?;
        let (place, repository) = (looked.unit.subject.place(), self.job.repository.as_ref());
        let Ok(Applicable::Judge(policy)) = trust.policy.applicable(&scope(place, repository)) else {
            return None;
        };
        let given = match &trust.checked {
            Checked::Verified { digest, .. } => Some(digest),
            Checked::SelfChecked => None,
        };
        let judged_by = JudgedBy {
            policy,
            given,
            store: &trust.store,
            signer: trust.requirements.signer.as_ref(),
            metadata: self.judge.metadata,
            expectations: trust.expectations.as_ref().and_then(Expectations::file),
            minimum_build_level: self.job.minimum_build_level,
            bound: self.job.unbound == Unbound::Refuse,
        };
        let sort = if trust.is_self_made(policy) {
            SELF_CHECKED
        } else {
            VERIFIED
        };
        let resource = resource(place, repository);
        Some(Summary {
            verifier: self.verifier(),
            policy: (sort.to_owned(), judged_by.digest()),
            inputs: self.inputs(looked, observed, names, &resource),
            level: self.level(looked, observed, names),
            resource,
        })
    }

    /// Who verifies, by the signer.
    fn verifier(&self) -> String {
        match self.signings.identity() {
            SignerIdentity::LocalKey(_) => LOCAL_KEY.to_owned(),
            SignerIdentity::Profile(profile) => profile.to_string(),
        }
    }

    /// The build level that the run's own evidence supports and the provenance, as it was read back, does too; none
    /// where this run attests no build.
    fn level(&self, looked: &Looked, observed: &Observed, names: &[String]) -> Option<BuildLevel> {
        let build = self.build.get()?;
        let wish = Wish::Provenance(&build.account.facts);
        let found = self.standing_for(&looked.unit, observed, wish, names)?;
        let accepted = found.outcome.accepted()?;
        let shown = supported_by_document(accepted.attested(), accepted.key_holder())?;
        Some(shown.level.min(build.level()))
    }

    /// Everything that the verdict rests on: the accepted signatures of the image, and each attestation that this run
    /// stands for or that meets an expectation, with the signature by which it was accepted.
    fn inputs(
        &self,
        looked: &Looked,
        observed: &Observed,
        names: &[String],
        resource: &str,
    ) -> BTreeSet<Input> {
        let wishes = self.wishes(looked).into_iter();
        let standing = wishes.filter_map(|wish| self.standing_for(&looked.unit, observed, wish, names));
        let met = observed.held.iter().filter_map(|held| held.met_by.as_ref());
        let all = observed.attestations.iter();
        let met = met.filter_map(|digest| all.clone().find(|found| found.descriptor.digest == *digest));
        let attested = standing.chain(met).flat_map(digests);
        let signatures = observed.signatures.iter().filter_map(Judged::accepted);
        let signatures = signatures.map(|accepted| accepted.signature().clone());
        signatures
            .chain(attested)
            .map(|digest| Input {
                uri: format!("{resource}@{digest}"),
                digest,
            })
            .collect()
    }

    /// Attaches the summary of an image that is in order, unless one that says the same stands; then deletes our older
    /// ones.
    ///
    /// # Errors
    /// What kept it from being signed, stored, or found again.
    pub(super) async fn sum_up(
        &self,
        looked: &Looked,
        names: &[String],
        (actions, notes): (&[Action], &[Finding]),
        observed: &mut Observed,
        progress: &Progress<'_, O>,
    ) -> Result<Summed, Cause> {
        let Some(summary) = self.summary(looked, observed, names) else {
            return Ok(Summed::Done(Vec::new()));
        };
        let verified = self.judge.clock.now().whole();
        let wish = Wish::Summary(&summary, verified);
        let unit = &looked.unit;
        let standing = self.standing_for(unit, observed, wish, names);
        let standing = standing.map(|found| found.descriptor.digest.clone());
        let noted = notes.iter().map(|note| note.level);
        let noted = noted.chain(self.brought(observed, wish, standing.is_none()));
        let rest = self.without(observed, &self.replaced(observed, wish, standing.as_ref()));
        if self.says_no(looked, &rest, actions, noted) {
            return Ok(Summed::Withheld);
        }
        let standing = if let Some(standing) = standing {
            standing
        } else {
            progress.begin(Step::Attest);
            let created = attest::created(unit, self.standing_since(observed));
            let created = self.job.created.or(created).unwrap_or(verified);
            let ready = attest::ready(unit, names, wish, created)?;
            let made = ready.manifest.digest().clone();
            let written = self
                .write_one(&unit.subject, &wish.what(), ready, progress)
                .await?;
            progress.begin(Step::Verify);
            *observed = self.read_back(looked, &written).await?;
            progress.end("read back and judged");
            made
        };
        let older = self.replaced(observed, wish, Some(&standing)).into_iter();
        let older: Vec<Action> = older
            .map(|older| Action::Remove {
                what: wish.what(),
                older,
            })
            .collect();
        Ok(Summed::Done(self.replace(looked, &older, observed).await))
    }

    /// What the plan says of the summary: that there is no new one, where the run is known to say no.
    pub(super) fn foretold(&self, looked: &Looked, actions: &[Action], planned: &[Action]) -> Vec<String> {
        let settled = !actions.iter().any(Action::writes);
        let no = || {
            let removed = actions.iter().chain(planned).filter_map(|action| match action {
                Action::Remove { older, .. } => Some(older.clone()),
                _ => None,
            });
            let rest = self.without(&looked.observed, &removed.collect::<Vec<_>>());
            self.says_no(looked, &rest, actions, std::iter::empty())
        };
        if planned.is_empty() {
            Vec::new()
        } else if self.refusal(looked).is_some() || (settled && no()) {
            withheld(planned)
        } else {
            planned.iter().map(Action::explain).collect()
        }
    }

    /// Warns where this run does not say yes of a manifest of which a summary of ours goes on saying PASSED: a gate that
    /// does not ask how old it is takes it.
    pub(super) fn tell_older_summary(&self, looked: &Looked, last: &mut Ended) {
        let (Some(summary), report) = (&self.job.summary, &last.report) else {
            return;
        };
        let undone = [TargetState::Planned, TargetState::NotStarted].contains(&report.state);
        let mut levels = last.findings.iter().map(|finding| finding.level);
        let says_no = !last.failures.is_empty()
            || report.plan.iter().any(|line| line == WITHHELD)
            || levels.any(|level| summary.fail_on.catches(level));
        if undone || !says_no {
            return;
        }
        let verifier = self.verifier();
        let passed = looked.observed.attestations.iter().filter(|found| {
            let accepted = found.outcome.accepted();
            let ours = accepted.filter(|accepted| self.signings.identity().made(accepted.signature()));
            let statement = ours.and_then(|accepted| accepted.attested().statement());
            statement.is_some_and(|statement| Summary::is_passed_by(&verifier, statement))
        });
        // A report that holds no tree is about an image that was not read again.
        let listed = |digest: &Digest| report.attestations.iter().any(|listed| listed.digest == *digest);
        let passed = passed.map(|found| &found.descriptor.digest);
        let older = passed.filter(|digest| report.tree.is_none() || listed(digest));
        let made = report.attestations.iter().filter(|listed| listed.made_now);
        let made = made.filter(|listed| listed.kind == Some(Kind::Vsa.name()));
        let all = older.chain(made.map(|listed| &listed.digest));
        let told: Vec<Finding> = all.map(|digest| still_passed(digest, &looked.named_at)).collect();
        last.findings.extend(told);
    }

    /// Our summaries in whose place another comes: the one that stands, or one that is made now.
    fn replaced(&self, observed: &Observed, wish: Wish<'_>, standing: Option<&Digest>) -> Vec<Digest> {
        let own = self.own(observed, wish).into_iter();
        let own = own.filter(|(_, attested)| wish.replaces(attested));
        let own = own.map(|(found, _)| &found.descriptor.digest);
        own.filter(|digest| Some(*digest) != standing).cloned().collect()
    }

    /// What is left of an image's attestations once this run has deleted some. A summary that a stopped run did not come
    /// to delete stands beside its successor, which is nothing to fail the run that deletes it.
    fn without(&self, observed: &Observed, gone: &[Digest]) -> Observed {
        let mut rest = observed.clone();
        rest.attestations
            .retain(|found| !gone.contains(&found.descriptor.digest));
        let deleted = observed.attestations.len() - rest.attestations.len();
        if deleted > 0 {
            rest.held = self.judge.held(&rest.attestations);
            rest.referrers = rest.referrers.saturating_sub(deleted);
        }
        rest
    }

    /// The levels of what is going to be told of a summary that is attached now.
    fn brought(&self, observed: &Observed, wish: Wish<'_>, attaches: bool) -> Vec<Level> {
        let own = self.own(observed, wish);
        let (older, beside): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|(_, attested)| wish.replaces(attested));
        let referrers = observed.referrers.saturating_sub(older.len()).saturating_add(1);
        let crowded = referrers > REFERRERS_WARNED;
        let crowded = crowded.then_some(Rule::TooManyReferrers.level());
        let doubled = (!beside.is_empty()).then_some(Rule::AttestationDuplicate.level());
        crowded.into_iter().chain(doubled).filter(|_| attaches).collect()
    }

    /// Whether the run is going to say no of this image, or of everything.
    fn says_no(
        &self,
        looked: &Looked,
        observed: &Observed,
        actions: &[Action],
        noted: impl IntoIterator<Item = Level>,
    ) -> bool {
        let Some(summary) = &self.job.summary else {
            return true;
        };
        let assessed = self.assess(looked, observed);
        let build = self.build.get();
        let attests = actions
            .iter()
            .any(|action| matches!(action, Action::Attest { what } if what == Kind::Provenance.name()));
        let told = build.map(Build::findings).unwrap_or_default().into_iter();
        let unverified = build.filter(|_| attests).and_then(Build::unverified);
        let told = told
            .chain(unverified)
            .chain(local_signer(self.job, self.signings.identity()));
        let told = told
            .chain(self.untied(looked))
            .chain(assessed.findings)
            .chain(self.unsigned_beside(looked, observed))
            .chain(looked.lift.missed(&looked.unit.subject, &looked.named_at))
            .map(|finding| finding.level);
        let mut levels = told.chain(summary.found.iter().copied()).chain(noted);
        assessed.failure.is_some() || levels.any(|level| summary.fail_on.catches(level))
    }
}

fn still_passed(digest: &Digest, named_at: &str) -> Finding {
    Finding {
        level: Level::Warning,
        digest: Some(digest.clone()),
        named_at: Some(named_at.to_owned()),
        expected: Some("no summary of ours, since this run does not accept the image".to_owned()),
        found: Some(Foreign::new("PASSED")),
        fix: Some("give the gate a max-age, or delete this summary and its signature".to_owned()),
        ..Finding::new(
            Rule::AttestationTooOld,
            format!("an older summary still says PASSED, and this run does not: {digest}"),
        )
    }
}

/// An attestation, and the signature by which it was accepted.
fn digests(found: &ObservedAttestation) -> Vec<Digest> {
    let accepted = found.outcome.accepted();
    let signature = accepted.map(|accepted| accepted.signature().signature().clone());
    std::iter::once(found.descriptor.digest.clone())
        .chain(signature)
        .collect()
}

/// Where the image is fetched from, as a URI: `oci://HOST/PATH`; for a layout that belongs to no repository its name
/// alone, since nobody else has its path.
fn resource(place: &Place, repository: Option<&Repository>) -> String {
    match (place, repository) {
        (Place::Repository(repository), _) | (Place::Layout(_), Some(repository)) => {
            format!("oci://{repository}")
        }
        (Place::Layout(_), None) => format!("oci:{}", escaped(&crate::job::subject_name(place, None))),
    }
}

/// A name as one segment of a URI (RFC 3986, 2.1 and 2.3).
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oci::LayoutPath;

    #[test]
    fn a_resource_is_a_uri_that_holds_no_path_of_this_machine() {
        let place = |text: &str| Place::Layout(LayoutPath::new(text));
        let web: Repository = "r.example:5000/team/web".parse().unwrap();
        assert_eq!(
            resource(&Place::Repository(web.clone()), None),
            "oci://r.example:5000/team/web"
        );
        assert_eq!(
            resource(&place("/home/me/build"), Some(&web)),
            "oci://r.example:5000/team/web"
        );
        assert_eq!(resource(&place("/home/me/a b/ü:1"), None), "oci:%C3%BC%3A1");
    }
}
