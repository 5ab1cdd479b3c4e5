//! Looking for what ties an image to the run that attests it: no request more than the first tie takes.

use super::build::Build;
use super::{Looked, Run};
use crate::base::failure::{Cause, Class};
use crate::base::foreign::Foreign;
use crate::base::limits::{MANIFEST_BYTES, STATEMENT_BYTES};
use crate::domain::oci::{Descriptor, Digest, Manifest, ManifestView};
use crate::domain::plan::{Action, Step};
use crate::domain::provenance::binding::{Binding, Run as Vouched};
use crate::domain::provenance::buildkit::REFERENCE_DIGEST;
use crate::domain::provenance::{Kind, PREDICATE_TYPE};
use crate::domain::report::{BindingReport, Failure, Finding, Level, Rule, TargetReport};
use crate::job::ended::Ended;
use crate::job::pool;
use crate::job::progress::Progress;
use crate::job::resolve::Unit;
use crate::job::{Unbound, tell};
use crate::seams::{Observer, ReadStore, Revocation, Signer, WriteStore};

/// Platforms of one index that are looked into (ours; public images have up to about twelve). Each costs two requests.
const PLATFORMS: usize = 16;

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Where a tie is demanded: finds out what ties every image that was named, and halts the run where one is not tied,
    /// before anything is signed.
    pub(super) async fn demand_ties(&self, looked: impl Iterator<Item = &Looked>) {
        if self.job.unbound == Unbound::Tell || self.build.get().is_none() {
            return;
        }
        let refused = pool::each(looked, self.job.concurrency.jobs, async |looked| {
            let progress = Progress::new(self.observer, looked.index);
            let work = async {
                self.tie(looked).await;
                Ok(())
            };
            let found = progress
                .guard(self.job.concurrency.timeout, self.stop, work)
                .await;
            if let Err(failure) = found {
                let _ = looked.binding.set(Err(failure.cause));
            }
            self.refusal(looked).is_some()
        });
        if refused.await.contains(&true) {
            self.halted.set(true);
        }
    }

    /// Finds out what ties an image for which the provenance of a host is attached now. What a person described by hand,
    /// and what is kept, is looked into on demand only.
    pub(super) async fn tie_attested(&self, looked: &Looked, actions: &[Action]) {
        let provenance =
            |action: &Action| matches!(action, Action::Attest { what } if what == Kind::Provenance.name());
        if self.build.get().is_some_and(Build::is_by_host) && actions.iter().any(provenance) {
            self.tie(looked).await;
        }
    }

    async fn tie(&self, looked: &Looked) {
        let Some(build) = self.build.get().filter(|_| looked.unit.root) else {
            return;
        };
        if looked.binding.get().is_none() {
            let run = Vouched::from(&build.account);
            let found = Box::pin(binding(self.judge.store, &looked.unit, &run)).await;
            let _ = looked.binding.set(found);
        }
    }

    /// Why an image is refused, where a tie is demanded and none was found.
    pub(super) fn refusal(&self, looked: &Looked) -> Option<Cause> {
        if self.job.unbound == Unbound::Tell || !looked.unit.root || self.build.get().is_none() {
            return None;
        }
        let found = match looked.binding.get() {
            Some(Ok(Binding::Unbound(found))) => found.join("; "),
            Some(Ok(_)) => return None,
            Some(Err(cause)) => return Some(cause.clone()),
            None => "nobody looked".to_owned(),
        };
        Some(Cause {
            class: Class::Rejected,
            message: format!(
                "require-binding: expected something that ties the image to this run, found {found}"
            ),
            hint: Some(Rule::ProvenanceUnbound.fix().to_owned()),
        })
    }

    /// How an image ends that is refused for want of a tie.
    pub(super) fn refused(&self, looked: &Looked, plan: &[String]) -> Option<Ended> {
        let cause = self.refusal(looked)?;
        let report = TargetReport {
            plan: plan.to_vec(),
            ..tell::bare(&looked.unit, tell::stopped_by(cause.class))
        };
        let failure = Failure {
            target: None,
            step: Step::Plan,
            cause,
            done: Vec::new(),
        };
        let mut ended = Ended::bare(report, Some(failure));
        self.tell_tie(looked, &mut ended);
        Some(ended)
    }

    /// What is said of an image that was looked into and that nothing ties to the run.
    pub(super) fn untied(&self, looked: &Looked) -> Option<Finding> {
        let (_, found) = tied(looked).filter(|(_, found)| !found.is_empty())?;
        let mut finding = unbound(&found.join("; "), looked.unit.subject.digest());
        if self.job.unbound == Unbound::Refuse {
            finding.level = Level::Error;
        }
        finding.named_at = Some(looked.named_at.clone());
        Some(finding)
    }

    /// Puts into the report what was found out.
    pub(super) fn tell_tie(&self, looked: &Looked, ended: &mut Ended) {
        let Some((tie, found)) = tied(looked) else {
            return;
        };
        ended.findings.extend(self.untied(looked));
        ended.report.binding = Some(BindingReport {
            tie,
            found: found.into_iter().map(Foreign::new).collect(),
        });
    }
}

/// What ties an image, as far as that was asked, or what was found instead.
fn tied(looked: &Looked) -> Option<(&'static str, Vec<String>)> {
    Some(match looked.binding.get()? {
        Ok(Binding::Unbound(found)) => (Binding::NONE, found.clone()),
        Ok(binding) => (binding.name(), Vec::new()),
        Err(cause) => (Binding::NONE, vec![cause.message.clone()]),
    })
}

/// What to say of an image that nothing ties to the run.
fn unbound(found: &str, digest: &Digest) -> Finding {
    Finding {
        digest: Some(digest.clone()),
        expected: Some(
            "annotations or labels with commit and repository, BuildKit's provenance naming the run, or a push after \
             the build's beginning where somebody other than the job says when that was"
                .to_owned(),
        ),
        found: Some(Foreign::new(found)),
        ..Finding::new(
            Rule::ProvenanceUnbound,
            "the provenance says that this run built the image, and nothing shows it",
        )
    }
}

/// Why there is no tie of one kind.
enum Miss {
    /// What was found instead.
    Found(String),
    /// It could not be read; that says nothing about the image.
    Unread(Cause),
}

impl Miss {
    fn found(self) -> Result<String, Cause> {
        match self {
            Self::Found(found) => Ok(found),
            Self::Unread(cause) => Err(cause),
        }
    }
}

fn missed(found: &str) -> Miss {
    Miss::Found(found.to_owned())
}

/// The cheapest tie first: annotations cost nothing, an image's labels one request, a platform of an index two.
async fn binding(store: &impl ReadStore, unit: &Unit, run: &Vouched) -> Result<Binding, Cause> {
    let manifest = &unit.manifest;
    let mut found = match run.is_labelled(manifest.annotations()) {
        Ok(()) => return Ok(Binding::Annotations),
        Err(found) => vec![format!("the manifest's annotations: {found}")],
    };
    if let ManifestView::Index(index) = manifest.view() {
        match built(store, unit, &index.manifests, run).await {
            Ok(()) => return Ok(Binding::BuildKit),
            Err(miss) => found.push(miss.found()?),
        }
    }
    match labelled(store, unit, run).await {
        Ok(()) => return Ok(Binding::Labels),
        Err(miss) => found.push(miss.found()?),
    }
    if run.has_beginning() {
        match pushed(store, unit, run).await {
            Ok(()) => return Ok(Binding::Pushed),
            Err(miss) => found.push(miss.found()?),
        }
    }
    Ok(Binding::Unbound(found))
}

/// Whether the store says that the image came after the run began; the weakest tie, so it is looked for last.
async fn pushed(store: &impl ReadStore, unit: &Unit, run: &Vouched) -> Result<(), Miss> {
    let stored = store.stored_at(unit.subject.place(), unit.subject.digest()).await;
    let stored = stored.map_err(|error| Miss::Unread(Cause::of(&error)))?;
    run.began_before(stored).map_err(Miss::Found)
}

/// Whether the image is labelled, or every platform of an index.
async fn labelled(store: &impl ReadStore, unit: &Unit, run: &Vouched) -> Result<(), Miss> {
    if matches!(unit.manifest.view(), ManifestView::Image(_)) {
        return labels(store, unit, &unit.manifest, run).await;
    }
    let judged = pool::each(platforms(unit)?, pool::PER_TARGET, async |child| {
        let manifest = store.manifest(unit.subject.place(), child).await;
        let manifest = manifest.map_err(|error| Miss::Unread(Cause::of(&error)))?;
        labels(store, unit, &manifest, run).await
    });
    judged.await.into_iter().collect()
}

fn platforms(unit: &Unit) -> Result<&[Descriptor], Miss> {
    match unit.children.as_slice() {
        children if (1..=PLATFORMS).contains(&children.len()) => Ok(children),
        children => Err(Miss::Found(format!(
            "expected 1 to {PLATFORMS} platforms to look into, found {}",
            children.len()
        ))),
    }
}

async fn labels(store: &impl ReadStore, unit: &Unit, manifest: &Manifest, run: &Vouched) -> Result<(), Miss> {
    let config = match manifest.view() {
        ManifestView::Image(image) => image.config.as_ref(),
        ManifestView::Index(_) => None,
    };
    let config = config.ok_or_else(|| missed("no configuration"))?;
    let bytes = store.blob(unit.subject.place(), config, MANIFEST_BYTES).await;
    let bytes = bytes.map_err(|error| Miss::Unread(Cause::of(&error)))?;
    run.is_labelled_in(&bytes)
        .map_err(|found| Miss::Found(format!("the configuration's labels: {found}")))
}

/// Whether `BuildKit`'s provenance of every platform names the run.
async fn built(
    store: &impl ReadStore,
    unit: &Unit,
    entries: &[Descriptor],
    run: &Vouched,
) -> Result<(), Miss> {
    let beside = |child: &Descriptor| {
        let about = |entry: &&Descriptor| {
            let digest = entry.annotations.get(REFERENCE_DIGEST);
            digest.is_some_and(|digest| digest.raw() == child.digest.to_string())
        };
        entries.iter().find(about)
    };
    let children = platforms(unit)?.iter();
    let pairs: Option<Vec<_>> = children.map(|child| Some((child, beside(child)?))).collect();
    let pairs = pairs.ok_or_else(|| missed("no provenance by BuildKit for every platform"))?;
    let named = pool::each(pairs, pool::PER_TARGET, async |(child, attestation)| {
        names_run(store, unit, attestation, run, &child.digest).await
    });
    named.await.into_iter().collect()
}

async fn names_run(
    store: &impl ReadStore,
    unit: &Unit,
    attestation: &Descriptor,
    run: &Vouched,
    platform: &Digest,
) -> Result<(), Miss> {
    let place = unit.subject.place();
    let manifest = store.manifest(place, attestation).await;
    let manifest = manifest.map_err(|error| Miss::Unread(Cause::of(&error)))?;
    let layers = match manifest.view() {
        ManifestView::Image(image) => image.layers.as_slice(),
        ManifestView::Index(_) => &[],
    };
    let provenance = layers.iter().find(|layer| {
        let kind = layer.annotations.get(PREDICATE_TYPE);
        kind.is_some_and(|kind| kind.raw().starts_with("https://slsa.dev/provenance/"))
    });
    let provenance = provenance.ok_or_else(|| missed("no provenance by BuildKit"))?;
    let bytes = store.blob(place, provenance, STATEMENT_BYTES).await;
    let bytes = bytes.map_err(|error| Miss::Unread(Cause::of(&error)))?;
    run.is_named_by(&bytes, platform).map_err(Miss::Found)
}
