//! What a document of each kind must have at least: members and values that its format gives every document. Not a
//! schema; enough to tell one kind from another, and a whole document from a part of one.

use super::PredicateChoice;
use crate::base::tree::{Cursor, Document, DocumentError, Object, Value};
use crate::domain::provenance::kind::Kind;

/// Checks a predicate that stands alone.
pub(super) fn check(choice: &PredicateChoice, document: &Document) -> Result<(), DocumentError> {
    let top = document.cursor().object()?;
    match choice.kind() {
        None => Ok(()),
        Some(kind) => {
            kind.check_raw(document)?;
            match kind {
                Kind::Spdx => spdx(&top),
                Kind::CycloneDx => text(&top, "specVersion", "a version of CycloneDX, as 1.6", |text| {
                    text.starts_with("1.")
                }),
                Kind::Sarif => runs(&top),
                Kind::Vex => vex(&top),
                Kind::Vuln => vuln(&top),
                Kind::TestResult => test_result(&top),
                Kind::Vsa => vsa(&top),
                Kind::Provenance => Ok(()),
            }
        }
    }
}

fn text(
    of: &Object<'_>,
    member: &str,
    expected: &str,
    fits: impl FnOnce(&str) -> bool,
) -> Result<(), DocumentError> {
    let value = of.required(member)?;
    match value.value() {
        Value::Text(text) if fits(text) => Ok(()),
        _ => Err(value.error(expected)),
    }
}

fn texts(of: &Object<'_>, members: &[&str]) -> Result<(), DocumentError> {
    members
        .iter()
        .try_for_each(|member| of.required(member)?.string().map(|_| ()))
}

fn objects<'a>(of: &Cursor<'a>) -> Result<Vec<Object<'a>>, DocumentError> {
    of.array()?.iter().map(Cursor::object).collect()
}

/// SPDX 2.3, 6 ("Document Creation Information"); a document of SPDX 3 has its elements in `@graph`.
fn spdx(top: &Object<'_>) -> Result<(), DocumentError> {
    if top.optional("@context").is_some() {
        return Ok(());
    }
    text(top, "SPDXID", "SPDXRef-DOCUMENT", |id| id == "SPDXRef-DOCUMENT")?;
    texts(top, &["name", "dataLicense", "documentNamespace"])?;
    let creation = top.required("creationInfo")?.object()?;
    texts(&creation, &["created"])?;
    creation.required("creators")?.array().map(|_| ())
}

/// SARIF 2.1.0, 3.14.6 and 3.18.2: every run names its tool.
fn runs(top: &Object<'_>) -> Result<(), DocumentError> {
    for run in objects(&top.required("runs")?)? {
        let driver = run.required("tool")?.object()?.required("driver")?.object()?;
        texts(&driver, &["name"])?;
    }
    Ok(())
}

/// `OpenVEX` specification 0.2.0, "The VEX Document" and "The VEX Statement".
fn vex(top: &Object<'_>) -> Result<(), DocumentError> {
    const STATUS: [&str; 4] = ["not_affected", "affected", "fixed", "under_investigation"];
    text(
        top,
        "@context",
        "the context of OpenVEX, as https://openvex.dev/ns/v0.2.0",
        |text| text.starts_with("https://openvex.dev/ns"),
    )?;
    texts(top, &["@id", "author", "timestamp"])?;
    for statement in objects(&top.required("statements")?)? {
        statement.required("vulnerability")?;
        text(
            &statement,
            "status",
            "not_affected, affected, fixed or under_investigation",
            |text| STATUS.contains(&text),
        )?;
    }
    Ok(())
}

/// in-toto attestation, `spec/predicates/vulns_02.md`.
fn vuln(top: &Object<'_>) -> Result<(), DocumentError> {
    let scanner = top.required("scanner")?.object()?;
    texts(&scanner, &["uri"])?;
    scanner.required("result")?.array()?;
    top.required("metadata")?.object().map(|_| ())
}

/// in-toto attestation, `spec/predicates/test-result.md`.
fn test_result(top: &Object<'_>) -> Result<(), DocumentError> {
    const RESULTS: [&str; 3] = ["PASSED", "WARNED", "FAILED"];
    text(top, "result", "PASSED, WARNED or FAILED", |text| {
        RESULTS.contains(&text)
    })?;
    top.required("configuration")?.array().map(|_| ())
}

/// SLSA, `verification_summary.md`.
fn vsa(top: &Object<'_>) -> Result<(), DocumentError> {
    texts(&top.required("verifier")?.object()?, &["id"])?;
    texts(top, &["timeVerified", "resourceUri"])?;
    top.required("policy")?.object()?;
    text(top, "verificationResult", "PASSED or FAILED", |text| {
        ["PASSED", "FAILED"].contains(&text)
    })?;
    top.required("verifiedLevels")?.array().map(|_| ())
}
