//! Layouts: listing what hangs on an image and verifying it, through the job that `countersign verify` and
//! `countersign inspect` run, with the clock and the signature limit of the case.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign::base::foreign::Foreign;
use countersign::base::limits;
use countersign::base::time::Timestamp;
use countersign::domain::oci::{Digest, ImageRef, LayoutPath, Place, Repository};
use countersign::domain::report::{Event, RunReport, TargetState};
use countersign::domain::trust::TrustPolicyDocument;
use countersign::edge::layout::Layout;
use countersign::job::{
    Backends, Concurrency, GivenPolicy, InspectJob, Recursive, Target, Trust, VerifyJob, inspect,
    stop_channel, verify,
};
use countersign::seams::{Clock, NotChecked, Observer};
use serde_json::json;

use super::trust::trust_store;
use super::{Case, Judged, command};

/// Judges the kinds of this module.
pub(super) fn judge(case: &Case) -> Option<Judged> {
    Some(match case.kind.as_str() {
        "oci-layout-list" => list(case),
        "oci-layout-verify" => verified(case),
        _ => return None,
    })
}

/// Nobody looks.
struct Blind;

impl Observer for Blind {
    fn on(&self, _: &Event) {}
}

/// Long enough for any case.
const PATIENCE: Duration = Duration::from_mins(1);

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(work)
}

fn backends(store: &Layout, now: Option<Timestamp>) -> Backends<'_, Layout, NotChecked, Blind> {
    Backends {
        store,
        revocation: &NotChecked,
        observer: &Blind,
        clock: now.map_or(Clock::System, Clock::Fixed),
    }
}

/// The image of the case's layout that a reference names: `…@sha256:…`, `sha256:…` or `…:tag`.
fn target(case: &Case, reference: &str) -> Target {
    let place = Place::Layout(LayoutPath::new(case.path("layout")));
    let after = reference.rsplit_once('@').map_or(reference, |(_, digest)| digest);
    let image = if let Ok(digest) = after.parse::<Digest>() {
        ImageRef::new(place, None, Some(digest))
    } else {
        let tag = after.rsplit_once(':').map_or(after, |(_, tag)| tag);
        ImageRef::new(place, Some(tag.parse().expect("a tag")), None)
    };
    Target {
        named: image.to_string(),
        tags: image.tag().cloned().into_iter().collect(),
        image,
        named_at: "argument 1".to_owned(),
    }
}

fn failures(report: &RunReport) -> String {
    let messages = report
        .failures
        .iter()
        .map(|failure| failure.cause.message.clone());
    messages.collect::<Vec<_>>().join("; ")
}

fn list(case: &Case) -> Judged {
    let job = InspectJob {
        target: target(case, case.text("reference")),
        trust: None,
        repository: None,
        timeout: PATIENCE,
    };
    let store = Layout::new();
    let report = block_on(inspect(&job, backends(&store, None), &stop_channel().1));
    let target = &report.targets[0];
    if target.state == TargetState::Failed {
        return Judged::reject(failures(&report));
    }
    let signatures = target
        .signatures
        .iter()
        .map(|signature| signature.digest.to_string());
    Judged::accept()
        .with("signatures", signatures.collect::<Vec<_>>())
        .with("subject", json!(target.digest.as_ref().map(ToString::to_string)))
}

fn verified(case: &Case) -> Judged {
    let judged = verified_at(case, case.time("at"));
    if let Some(accepted) = command::second_opinion(case, &judged) {
        let word = |accepted| if accepted { "accept" } else { "reject" };
        let (said, found) = (word(accepted), word(judged.accepted));
        assert!(said == found, "the command line says {said}, the library {found}");
    }
    judged
}

/// Whether the layout of a case is accepted, with the clock and the limit of the case.
pub(crate) fn accepts(case: &Case) -> bool {
    verified_at(case, case.time("at")).accepted
}

/// Verifies the layout of a case at a moment; none is now.
pub(super) fn verified_at(case: &Case, at: Option<Timestamp>) -> Judged {
    let reference = case.text("artifact_reference");
    let name = reference.rsplit_once('@').map_or(reference, |(name, _)| name);
    let scope = match name.parse::<ImageRef>().map(|image| image.place().clone()) {
        Ok(Place::Repository(repository)) => repository,
        other => panic!("{reference}: {other:?}"),
    };
    let job = job(case, target(case, reference), scope);
    let store = Layout::new();
    let report = block_on(verify(&job, backends(&store, at), &stop_channel().1));
    let target = &report.targets[0];
    let digest = json!(target.digest.as_ref().map(ToString::to_string));
    match (report.failures.is_empty(), target.state) {
        (true, TargetState::Verified) => Judged::accept().with("verified_digest", digest),
        (_, state) => Judged::reject(format!("{}: {}", state.name(), failures(&report))),
    }
}

/// What the case asks; like the reference library, it takes a digest and leaves finding a tag's to the caller.
fn job(case: &Case, target: Target, repository: Repository) -> VerifyJob {
    let bytes = case.bytes("policy");
    let given = GivenPolicy {
        name: Foreign::new("trustpolicy.json"),
        digest: Digest::of(&bytes),
        policy: TrustPolicyDocument::parse(&bytes).expect("the policy is legal"),
    };
    let limit = case.input("max_signatures").as_u64();
    VerifyJob {
        targets: vec![target],
        recursive: Recursive::Index,
        require_digest: true,
        metadata: BTreeMap::new(),
        trust: Trust::given(given, trust_store(case), None),
        max_signatures: limit.map_or(limits::SIGNATURES_JUDGED, |limit| {
            limit.try_into().expect("a small number")
        }),
        repository: Some(repository),
        concurrency: Concurrency {
            jobs: 1,
            timeout: PATIENCE,
            fail_fast: false,
        },
        authority: Vec::new(),
    }
}
