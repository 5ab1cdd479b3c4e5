//! Copying an image with everything that hangs on it: judged where it is, stored as it is, judged where it arrives.
//!
//! Nothing is signed again and nothing is left behind: what nobody vouches for is carried along, and said to be.

mod blobs;
mod tree;

use std::collections::{BTreeMap, HashSet};

use self::blobs::{Moved, copy_blobs};
use self::tree::{Node, Tree};
use super::ended::Ended;
use super::judge::Judge;
use super::observe::LISTED_LATER;
use super::progress::Progress;
use super::resolve::{self, Unit};
use super::standing::Demand;
use super::tags::tagged;
use super::tell::{self, Assessment, MadeNow};
use super::{Backends, CopyJob, Recursive, Stop, Target, pool, scope};
use crate::base::failure::{Cause, Class};
use crate::base::foreign::quote;
use crate::base::limits;
use crate::domain::oci::{Digest, ImageRef, Manifest, Place, Tag};
use crate::domain::plan::Step;
use crate::domain::report::{Event, RunReport, TargetReport, TargetState};
use crate::seams::{CopyStore, Observer, Revocation, StoreError, StoreProblem};

/// Copies one image; no error leaves this function.
pub async fn copy<S: CopyStore, R: Revocation, O: Observer>(
    job: &CopyJob,
    backends: Backends<'_, S, R, O>,
    stop: &Stop,
) -> RunReport {
    let mut report = super::blank_report("copy", backends.clock.now());
    let both = [job.source.clone(), job.destination.clone()];
    report.checked = Some(job.trust.worth(&both, job.repository.as_ref()));
    backends.observer.on(&Event::TargetStarted {
        target: 0,
        of: 1,
        image: job.source.named.clone(),
    });
    let copying = Copying {
        job,
        judge: Judge {
            store: backends.store,
            revocation: backends.revocation,
            trust: Some(&job.trust),
            metadata: &BTreeMap::new(),
            clock: backends.clock,
            limit: limits::SIGNATURES_JUDGED,
        },
        progress: Progress::new(backends.observer, 0),
    };
    let ended = copying
        .progress
        .guard(job.timeout, stop, Box::pin(copying.work()))
        .await;
    let ended = match ended {
        Ok(assessment) => Ended::judged(assessment, &job.source),
        Err(failure) => Ended::unresolved(copying.concerned(failure.step), Some(failure)),
    };
    ended.into_report(&mut report);
    super::close(&mut report, &job.authority, backends.clock);
    report
}

struct Copying<'a, S, R, O> {
    job: &'a CopyJob,
    judge: Judge<'a, S, R>,
    progress: Progress<'a, O>,
}

/// What was done, in numbers.
#[derive(Default)]
struct Done {
    manifests: usize,
    blobs: Moved,
    named: bool,
}

impl Done {
    /// Whether anything was.
    fn wrote(&self) -> bool {
        self.named || self.manifests > 0 || self.blobs != Moved::default()
    }
}

impl<S: CopyStore, R: Revocation, O: Observer> Copying<'_, S, R, O> {
    async fn work(&self) -> Result<Assessment, Cause> {
        let (source, to) = (&self.job.source, self.job.destination.image.place());
        self.progress.begin(Step::Resolve);
        let unit = self.resolve(source).await?;
        let digest = unit.subject.digest().clone();
        if let Some(expected) = self
            .job
            .destination
            .image
            .digest()
            .filter(|other| **other != digest)
        {
            return Err(other_digest(source, expected, &digest));
        }
        self.progress.end(digest.to_string());
        self.progress.begin(Step::Observe);
        let judged = self.assess(&unit).await?;
        if judged.failure.is_some() {
            return Ok(judged);
        }
        let (store, manifest) = (self.judge.store, unit.manifest);
        let tree = tree::read(store, &unit.subject, manifest.clone()).await?;
        self.progress.end(format!("{} manifests", tree.nodes.len()));
        self.progress.begin(Step::Push);
        let free = store.may_name(to, &digest, self.tag()).await;
        free.map_err(|error| Cause::of(&error))?;
        store.found(to).await.map_err(|error| Cause::of(&error))?;
        let mut done = self.store(&tree).await?;
        done.named = self.name(&manifest).await?;
        self.progress
            .end(format!("{} manifests, {} blobs", done.manifests, done.blobs.sent));
        self.progress.begin(Step::Verify);
        let arrived = self.arrived(&digest, &tree, &done).await?;
        self.progress.end("read back and judged");
        Ok(self.concluded(arrived, &tree, &done))
    }

    /// The side that a step works on.
    fn concerned(&self, step: Step) -> &Target {
        match step {
            Step::Resolve | Step::Observe => &self.job.source,
            _ => &self.job.destination,
        }
    }

    async fn resolve(&self, target: &Target) -> Result<Unit, Cause> {
        let units = resolve::resolve(self.judge.store, target, Recursive::Index, false).await?;
        let unit = units.into_iter().next().ok_or_else(|| Cause {
            class: Class::Internal,
            message: format!("{} resolved to nothing", target.image),
            hint: None,
        })?;
        match unit.strays.first() {
            Some(stray) => Err(stray.mismatch().1),
            None => Ok(unit),
        }
    }

    /// Judges one side; a policy that says not to look is no policy to copy by.
    async fn assess(&self, unit: &Unit) -> Result<Assessment, Cause> {
        let scope = scope(unit.subject.place(), self.job.repository.as_ref());
        let observed = self.judge.observe(&unit.subject, &scope).await?;
        match &observed.skipped_by {
            Some(policy) => Err(skipped(unit, policy)),
            None => Ok(tell::assess(unit, &observed, Demand::Found, &MadeNow::new())),
        }
    }

    /// Stores what is not there yet: blobs, then manifests in their order.
    async fn store(&self, tree: &Tree) -> Result<Done, Cause> {
        let (from, to) = (self.job.source.image.place(), self.job.destination.image.place());
        let here = self.held(&tree.nodes).await?;
        // A registry takes a manifest only with what it names; in a layout files can be lost one by one.
        let in_layout = matches!(to, Place::Layout(_));
        let blobs = tree.blobs(|node| in_layout || !here.contains(&node.descriptor.digest));
        let mut done = Done {
            blobs: copy_blobs(self.judge.store, &blobs, from, to).await?,
            ..Done::default()
        };
        let referrers = tree.referrers();
        let subjects = referrers.keys().filter(|subject| here.contains(subject));
        let listed = self.listed(subjects).await?;
        let stands = |node: &&Node| {
            let digest = &node.descriptor.digest;
            here.contains(digest) && (node.subject.is_none() || listed.contains(digest))
        };
        for wave in tree.waves() {
            let missing = wave.iter().filter(|node| !stands(node));
            let stored = pool::each(missing, pool::PER_TARGET, |node| self.store_manifest(tree, node));
            for stored in stored.await {
                stored?;
                done.manifests += 1;
            }
        }
        Ok(done)
    }

    async fn store_manifest(&self, tree: &Tree, node: &Node) -> Result<(), Cause> {
        let (from, to) = (self.job.source.image.place(), self.job.destination.image.place());
        let store = self.judge.store;
        let manifest = tree.manifest(node, store, from).await?;
        let stored = match node.subject {
            Some(_) => store.push_referrer(to, &manifest).await.map(|_| ()),
            None => store.store_manifest(to, &manifest).await,
        };
        stored.map_err(|error| Cause::of(&error))?;
        self.progress
            .published(format!("{to}@{}", node.descriptor.digest));
        Ok(())
    }

    /// The manifests that the destination holds, read and hashed; none of them is kept.
    async fn held(&self, nodes: &[Node]) -> Result<HashSet<Digest>, Cause> {
        let to = self.job.destination.image.place();
        let read = pool::each(nodes, pool::PER_TARGET, async |node| {
            match self.judge.store.manifest(to, &node.descriptor).await {
                Ok(_) => Ok(Some(node.descriptor.digest.clone())),
                // Bytes that lie are written anew.
                Err(error) => match error.problem {
                    StoreProblem::Missing(_) | StoreProblem::Tampered { .. } => Ok(None),
                    _ => Err(Cause::of(&error)),
                },
            }
        });
        let read: Vec<Option<Digest>> = read.await.into_iter().collect::<Result<_, _>>()?;
        Ok(read.into_iter().flatten().collect())
    }

    /// The referrers that the destination lists under these.
    async fn listed<'d>(
        &self,
        subjects: impl Iterator<Item = &'d &'d Digest>,
    ) -> Result<HashSet<Digest>, Cause> {
        let to = self.job.destination.image.place();
        let listed = pool::each(subjects, pool::PER_TARGET, async |subject| {
            let listed = self.judge.store.referrers(to, subject).await?;
            Ok(listed.into_iter().map(|entry| entry.digest).collect::<Vec<_>>())
        });
        let listed: Vec<Vec<Digest>> = listed
            .await
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error: StoreError| Cause::of(&error))?;
        Ok(listed.into_iter().flatten().collect())
    }

    /// Gives the image its name, last, so that nobody finds it there without its signatures.
    async fn name(&self, manifest: &Manifest) -> Result<bool, Cause> {
        let (store, to) = (self.judge.store, self.job.destination.image.place());
        let tag = self.tag();
        let asked = match tag {
            Some(tag) => tagged(to, tag),
            None => ImageRef::new(to.clone(), None, Some(manifest.digest().clone())),
        };
        match store.resolve(&asked).await {
            Ok(found) if found.subject.digest() == manifest.digest() => return Ok(false),
            Ok(_) => {}
            Err(error) if matches!(error.problem, StoreProblem::Missing(_)) => {}
            Err(error) => return Err(Cause::of(&error)),
        }
        let named = store.name_image(to, manifest, tag).await;
        named.map_err(|error| Cause::of(&error))?;
        Ok(true)
    }

    /// The tag that was asked for, else the one that the source was named by.
    fn tag(&self) -> Option<&Tag> {
        let (source, to) = (&self.job.source.image, &self.job.destination.image);
        to.tag()
            .or_else(|| source.tag().filter(|_| to.digest().is_none()))
    }

    /// Reads the destination as anybody would and judges it, and looks whether all of the tree is there: what was
    /// stored just now is read once more, and listed. A registry may list what it stored a little later.
    async fn arrived(&self, digest: &Digest, tree: &Tree, done: &Done) -> Result<Assessment, Cause> {
        let to = self.job.destination.image.place();
        let image = ImageRef::new(to.clone(), self.tag().cloned(), Some(digest.clone()));
        let target = Target {
            tags: self.tag().cloned().into_iter().collect(),
            image,
            ..self.job.destination.clone()
        };
        let unit = self.resolve(&target).await?;
        if done.wrote() {
            self.read_back(tree).await?;
        }
        let referrers = tree.referrers();
        let mut waits = LISTED_LATER.iter();
        loop {
            let listed = self.listed(referrers.keys()).await?;
            let mut expected = referrers.values().flatten();
            let missing = expected.find(|digest| !listed.contains(digest));
            match (missing, waits.next()) {
                (None, _) => break,
                (Some(_), Some(wait)) => tokio::time::sleep(*wait).await,
                (Some(digest), None) => return Err(not_listed(to, digest)),
            }
        }
        self.assess(&unit).await
    }

    /// Reads every manifest of the tree where it arrived; the bytes have their digests, or it is an error.
    async fn read_back(&self, tree: &Tree) -> Result<(), Cause> {
        let to = self.job.destination.image.place();
        let read = pool::each(&tree.nodes, pool::PER_TARGET, async |node| {
            let read = self.judge.store.manifest(to, &node.descriptor).await;
            read.map(|_| ()).map_err(|error| Cause::of(&error))
        });
        read.await.into_iter().collect()
    }

    fn concluded(&self, arrived: Assessment, tree: &Tree, done: &Done) -> Assessment {
        let state = match (&arrived.failure, done.wrote()) {
            (Some(_), _) => arrived.report.state,
            (None, true) => TargetState::Copied,
            (None, false) => TargetState::Kept,
        };
        let plan = self.told(&arrived.report, tree, done);
        let report = TargetReport {
            state,
            plan,
            ..arrived.report
        };
        Assessment { report, ..arrived }
    }

    /// What was done, in words.
    fn told(&self, report: &TargetReport, tree: &Tree, done: &Done) -> Vec<String> {
        let source = &self.job.source.image;
        let mut told = vec![format!(
            "copied from {source}: {} of {} manifests, {} blobs of {} bytes, {} blobs linked; the rest was there",
            done.manifests,
            tree.nodes.len(),
            done.blobs.sent,
            done.blobs.bytes,
            done.blobs.mounted
        )];
        let signatures = report.signatures.iter().map(|signature| signature.verdict);
        let verdicts = signatures.chain(report.attestations.iter().map(|attestation| attestation.verdict));
        let accepted = verdicts.filter(|verdict| *verdict == "accepted").count();
        let under = report
            .attestations
            .iter()
            .flat_map(|attestation| &attestation.signatures);
        let accepted = accepted + under.filter(|signature| signature.verdict == "accepted").count();
        let all = tree.nodes.iter().filter(|node| node.subject.is_some()).count();
        told.push(format!(
            "{accepted} of {all} signatures and attestations accepted; the others are carried along, and nobody vouches for them"
        ));
        let sparse = tree.sparse.iter();
        told.extend(
            sparse.map(|digest| format!("{digest} is named and not there: not copied (sparse index)")),
        );
        if tree.strangers > 0 {
            told.push(format!(
                "{} entries of lists of referrers refer to something else: not copied",
                tree.strangers
            ));
        }
        told
    }
}

fn other_digest(source: &Target, expected: &Digest, found: &Digest) -> Cause {
    Cause {
        class: Class::Usage,
        message: format!(
            "could not copy {} under another digest: expected {expected}, found {found}",
            source.image
        ),
        hint: Some("a copy keeps its digest; name the destination by its tag".to_owned()),
    }
}

fn skipped(unit: &Unit, policy: &str) -> Cause {
    Cause {
        class: Class::Usage,
        message: format!(
            "could not copy {}: expected a policy to judge it by, found {} with the level skip",
            unit.subject,
            quote(policy)
        ),
        hint: Some("give a trust policy that judges this image, or none for a self-check".to_owned()),
    }
}

fn not_listed(to: &Place, digest: &Digest) -> Cause {
    Cause {
        class: Class::Unavailable,
        message: format!(
            "could not find {to}@{digest} as it was stored: it is not listed when it is read back"
        ),
        hint: Some("run the same command again; what is done already is kept".to_owned()),
    }
}
