//! The referrer tree of an image, as the report draws it.

use super::parts::attestation_name;
use crate::base::failure::Class;
use crate::base::foreign::Foreign;
use crate::domain::oci::Descriptor;
use crate::domain::report::{self, TreeNode};
use crate::domain::trust::attestation::AttestationOutcome;
use crate::job::judge::Judged;
use crate::job::observe::{Observed, ObservedAttestation};
use crate::job::resolve::Unit;
use crate::job::standing::{Standing, is_listed_only, standing};

/// The referrer tree of a unit.
pub(in crate::job) fn tree(unit: &Unit, observed: &Observed) -> TreeNode {
    let signatures = observed.signatures.iter().map(signature_node);
    let attestations = observed
        .attestations
        .iter()
        .map(|found| attestation_node(found, observed.judged));
    let others = observed.others.iter().map(|descriptor| {
        let kind = descriptor
            .artifact_type
            .as_ref()
            .unwrap_or(&descriptor.media_type);
        node(
            descriptor,
            kind.as_str(),
            None,
            report::Standing::Listed,
            Vec::new(),
        )
    });
    let descriptor = unit.subject.descriptor();
    let kind = if descriptor.media_type.is_index() {
        "image index"
    } else {
        "image manifest"
    };
    let platforms: Vec<&str> = unit.platforms.iter().map(Foreign::raw).collect();
    let note = (!platforms.is_empty()).then(|| Foreign::new(platforms.join(", ")));
    let standing = match standing(&observed.signatures) {
        _ if !observed.judged => report::Standing::Listed,
        Standing::Good => report::Standing::Verified,
        Standing::Bad(obstacle) if obstacle.class != Class::Rejected && obstacle.class != Class::Tampered => {
            report::Standing::Unknown
        }
        Standing::Bad(_) | Standing::Absent => report::Standing::Rejected,
    };
    node(
        descriptor,
        kind,
        note,
        standing,
        signatures.chain(attestations).chain(others).collect(),
    )
}

fn signature_node(judged: &Judged) -> TreeNode {
    let (verdict, reason) = judged.verdict();
    let standing = match verdict {
        "accepted" => report::Standing::Verified,
        "unknown" => report::Standing::Unknown,
        "listed" => report::Standing::Listed,
        _ => report::Standing::Rejected,
    };
    let identity = judged.accepted().map(|accepted| accepted.identity().clone());
    let note = identity.or(reason.map(Foreign::new));
    node(&judged.descriptor, "signature", note, standing, Vec::new())
}

fn attestation_node(found: &ObservedAttestation, judged: bool) -> TreeNode {
    let (standing, note) = match &found.outcome {
        _ if !judged || is_listed_only(found) => (report::Standing::Listed, None),
        AttestationOutcome::Accepted(_) => {
            let builder = found.said.facts.iter().find(|(name, _)| *name == "builder");
            let note = builder.map(|(_, builder)| format!("built by {}", builder.raw()));
            (report::Standing::Verified, note)
        }
        AttestationOutcome::Rejected { message, .. } => (report::Standing::Rejected, Some(message.clone())),
    };
    let children = found.signatures.iter().map(signature_node).collect();
    node(
        &found.descriptor,
        &attestation_name(found),
        note.map(Foreign::new),
        standing,
        children,
    )
}

fn node(
    descriptor: &Descriptor,
    kind: &str,
    note: Option<Foreign>,
    standing: report::Standing,
    children: Vec<TreeNode>,
) -> TreeNode {
    TreeNode {
        kind: Foreign::new(kind),
        digest: descriptor.digest.clone(),
        size: descriptor.size,
        note,
        standing,
        children,
    }
}
