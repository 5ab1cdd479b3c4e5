//! The report as JSON, schema `countersign-report/1` (`docs/schemas/report-1.json`).

use super::ordered::Json;
use super::{
    AttestationReport, Checked, ExpectationReport, Failure, Finding, RunReport, SignatureReport,
    TargetReport, TreeNode, ValidationReport,
};

/// The value of the member `schema`; another number means that a member went away or changed its meaning.
pub const SCHEMA: &str = "countersign-report/1";

/// The report: everything that is known, indented, the same bytes for the same report.
///
/// Members are always there, `null` where nothing is known, so that a reader need not ask twice.
pub fn render(report: &RunReport) -> String {
    let targets = report.targets.iter().map(|target| target_json(report, target));
    let findings = report
        .findings
        .iter()
        .map(|finding| finding_json(report, finding));
    let failures = report
        .failures
        .iter()
        .map(|failure| failure_json(report, failure));
    Json::map([
        ("schema", SCHEMA.into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("command", report.command.into()),
        ("verdict", report.verdict.name().into()),
        ("checked", report.checked.as_ref().map(Checked::name).into()),
        ("policy", report.checked.as_ref().map_or(Json::Null, policy)),
        ("exit", u64::from(report.exit).into()),
        ("started", report.started.to_string().into()),
        ("finished", report.finished.to_string().into()),
        ("signer", report.signer.as_ref().into()),
        ("targets", Json::list(targets)),
        ("findings", Json::list(findings)),
        ("failures", Json::list(failures)),
        (
            "build",
            report.build.as_ref().map_or(Json::Null, super::BuildReport::json),
        ),
        ("requests", requests(report)),
    ])
    .document()
}

fn policy(checked: &Checked) -> Json {
    match checked {
        Checked::SelfChecked => Json::Null,
        Checked::Verified { policy, digest } => {
            Json::map([("name", policy.into()), ("digest", digest.to_string().into())])
        }
    }
}

fn target_json(report: &RunReport, target: &TargetReport) -> Json {
    Json::map([
        ("image", (&target.image).into()),
        ("repository", (&target.repository).into()),
        ("digest", target.digest.as_ref().map(ToString::to_string).into()),
        ("platforms", Json::list(&target.platforms)),
        ("state", report.state_word(target.state).into()),
        ("plan", Json::list(&target.plan)),
        ("signatures", Json::list(target.signatures.iter().map(signature))),
        (
            "attestations",
            Json::list(target.attestations.iter().map(attestation)),
        ),
        (
            "expectations",
            Json::list(target.expectations.iter().map(expectation)),
        ),
        (
            "binding",
            target
                .binding
                .as_ref()
                .map_or(Json::Null, super::BindingReport::json),
        ),
        ("referrers", target.tree.as_ref().map(|tree| node(tree, 0)).into()),
    ])
}

fn expectation(expectation: &ExpectationReport) -> Json {
    let met_by = expectation.met_by.as_ref();
    Json::map([
        ("type", (&expectation.about).into()),
        ("required", expectation.required.into()),
        ("verdict", expectation.verdict.into()),
        ("attestation", met_by.map(ToString::to_string).into()),
    ])
}

fn signature(signature: &SignatureReport) -> Json {
    Json::map([
        ("digest", signature.digest.to_string().into()),
        ("identity", signature.identity.as_ref().into()),
        ("verdict", signature.verdict.into()),
        ("reason", signature.reason.as_ref().into()),
        ("madeNow", signature.made_now.into()),
        (
            "signedAt",
            signature.signed_at.map(|time| time.to_string()).into(),
        ),
        (
            "expiresAt",
            signature.expires_at.map(|time| time.to_string()).into(),
        ),
        (
            "validations",
            Json::list(signature.validations.iter().map(validation)),
        ),
    ])
}

fn validation(validation: &ValidationReport) -> Json {
    Json::map([
        ("validation", validation.validation.into()),
        ("action", validation.action.into()),
        ("result", validation.result.into()),
        ("reason", validation.reason.as_ref().into()),
    ])
}

fn attestation(attestation: &AttestationReport) -> Json {
    let facts = attestation.facts.iter();
    Json::map([
        ("digest", attestation.digest.to_string().into()),
        ("artifactType", attestation.artifact_type.as_ref().into()),
        ("predicateType", attestation.predicate_type.as_ref().into()),
        ("verdict", attestation.verdict.into()),
        ("reason", attestation.reason.as_ref().into()),
        ("madeNow", attestation.made_now.into()),
        ("file", attestation.file.as_ref().into()),
        (
            "facts",
            Json::Map(
                facts
                    .map(|(name, text)| ((*name).to_owned(), text.into()))
                    .collect(),
            ),
        ),
        (
            "signatures",
            Json::list(attestation.signatures.iter().map(signature)),
        ),
    ])
}

/// Levels of the tree that are written; a deeper one is a fault of whoever built it.
const DEPTH: usize = 16;

fn node(tree: &TreeNode, depth: usize) -> Json {
    let children = tree.children.iter().filter(|_| depth < DEPTH);
    Json::map([
        ("kind", (&tree.kind).into()),
        ("digest", tree.digest.to_string().into()),
        ("size", tree.size.into()),
        ("note", tree.note.as_ref().into()),
        ("standing", tree.standing.name().into()),
        (
            "referrers",
            Json::list(children.map(|child| node(child, depth + 1))),
        ),
    ])
}

fn finding_json(report: &RunReport, finding: &Finding) -> Json {
    Json::map([
        ("rule", finding.rule.id().into()),
        ("name", finding.rule.name().into()),
        ("level", finding.level.name().into()),
        ("message", (&finding.message).into()),
        ("target", report.image(finding.target).into()),
        ("targetIndex", finding.target.into()),
        ("digest", finding.digest.as_ref().map(ToString::to_string).into()),
        ("platform", finding.platform.as_ref().into()),
        ("expected", finding.expected.as_ref().into()),
        ("found", finding.found.as_ref().into()),
        ("fix", finding.fix.as_ref().into()),
        ("namedAt", finding.named_at.as_ref().into()),
        ("help", finding.rule.help_uri().into()),
    ])
}

fn failure_json(report: &RunReport, failure: &Failure) -> Json {
    Json::map([
        ("target", report.image(failure.target).into()),
        ("targetIndex", failure.target.into()),
        ("step", failure.step.name().into()),
        ("class", failure.cause.class.name().into()),
        ("message", (&failure.cause.message).into()),
        ("hint", failure.cause.hint.as_ref().into()),
        ("done", Json::list(&failure.done)),
    ])
}

fn requests(report: &RunReport) -> Json {
    let operations = |counts: &std::collections::BTreeMap<&'static str, u64>| {
        Json::Map(
            counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), (*count).into()))
                .collect(),
        )
    };
    Json::Map(
        report
            .requests
            .iter()
            .map(|(service, counts)| ((*service).to_owned(), operations(counts)))
            .collect(),
    )
}
