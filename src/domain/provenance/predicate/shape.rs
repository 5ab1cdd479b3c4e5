//! What a document of each kind must have: the members that its published schema requires, and their types, as deep as
//! readers go. Members that a schema merely allows are nobody's business here.

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
                Kind::CycloneDx => cyclonedx(&top),
                Kind::Sarif => runs(&top),
                Kind::Vex => vex(&top),
                Kind::Vuln => vuln(&top),
                Kind::TestResult => test_result(&top),
                Kind::Vsa => vsa(&top),
                Kind::BuildKit => provenance(&top),
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

/// A list of objects where there is one, each checked.
fn each<'a>(
    of: &Object<'a>,
    member: &str,
    check: impl Fn(&Object<'a>) -> Result<(), DocumentError>,
) -> Result<(), DocumentError> {
    match of.optional(member) {
        None => Ok(()),
        Some(list) => objects(&list)?.iter().try_for_each(check),
    }
}

/// A whole number of at least 1.
fn counted(value: &Cursor<'_>) -> Result<(), DocumentError> {
    match value.unsigned() {
        Ok(1..) => Ok(()),
        _ => Err(value.error("a whole number of at least 1")),
    }
}

/// SPDX 2.3, 6 to 11, and its JSON schema (`spdx/spdx-spec`, `schemas/spdx-schema.json`); a document of SPDX 3 has its
/// elements in `@graph`, each with its type (`spdx-json-schema.json` of SPDX 3.0).
fn spdx(top: &Object<'_>) -> Result<(), DocumentError> {
    if top.optional("@context").is_some() {
        return each(top, "@graph", |element| texts(element, &["type"]));
    }
    text(top, "SPDXID", "SPDXRef-DOCUMENT", |id| id == "SPDXRef-DOCUMENT")?;
    text(top, "dataLicense", "CC0-1.0", |licence| licence == "CC0-1.0")?;
    texts(top, &["name", "documentNamespace"])?;
    let creation = top.required("creationInfo")?.object()?;
    texts(&creation, &["created"])?;
    let creators = creation.required("creators")?;
    let named = creators.array()?;
    if named.is_empty() {
        return Err(creators.error("at least one creator"));
    }
    named
        .iter()
        .try_for_each(|creator| creator.string().map(|_| ()))?;
    each(top, "packages", |package| {
        texts(package, &["name", "SPDXID", "downloadLocation"])
    })?;
    each(top, "relationships", |relationship| {
        texts(
            relationship,
            &["spdxElementId", "relatedSpdxElement", "relationshipType"],
        )
    })
}

/// `CycloneDX` 1.2 to 1.7 (`CycloneDX/specification`, `schema/bom-1.6.schema.json`).
fn cyclonedx(top: &Object<'_>) -> Result<(), DocumentError> {
    text(top, "specVersion", "a version of CycloneDX, as 1.6", |text| {
        let minor = text.strip_prefix("1.").map(str::as_bytes);
        minor.is_some_and(|minor| !minor.is_empty() && minor.iter().all(u8::is_ascii_digit))
    })?;
    top.optional("version").as_ref().map_or(Ok(()), counted)?;
    if let Some(metadata) = top.optional("metadata") {
        metadata.object()?;
    }
    each(top, "components", |component| texts(component, &["type", "name"]))?;
    each(top, "services", |service| texts(service, &["name"]))?;
    each(top, "dependencies", |dependency| texts(dependency, &["ref"]))?;
    each(top, "vulnerabilities", |_| Ok(()))
}

/// SLSA provenance v1 or v0.2: the builder and the build type are required ("Schema" of both).
fn provenance(top: &Object<'_>) -> Result<(), DocumentError> {
    let Some(definition) = top.optional("buildDefinition") else {
        texts(top, &["buildType"])?;
        return texts(&top.required("builder")?.object()?, &["id"]);
    };
    let definition = definition.object()?;
    texts(&definition, &["buildType"])?;
    definition.required("externalParameters")?.object()?;
    let details = top.required("runDetails")?.object()?;
    texts(&details.required("builder")?.object()?, &["id"])
}

/// SARIF 2.1.0, 3.14.6, 3.18.2, 3.27.11 and 3.49.3 (`sarif-schema-2.1.0.json`): every run names its tool, every result has
/// a message, every rule an id.
fn runs(top: &Object<'_>) -> Result<(), DocumentError> {
    for run in objects(&top.required("runs")?)? {
        let driver = run.required("tool")?.object()?.required("driver")?.object()?;
        texts(&driver, &["name"])?;
        each(&driver, "rules", |rule| texts(rule, &["id"]))?;
        // `null` says that the tool never came to any result (3.14.23).
        if run.optional("results").is_some_and(|results| !results.is_null()) {
            each(&run, "results", |result| {
                result.required("message")?.object().map(|_| ())
            })?;
        }
    }
    Ok(())
}

/// `OpenVEX` specification 0.2.0, "The VEX Document" and "The VEX Statement", and its JSON schema
/// (`openvex/spec`, `openvex_json_schema.json`).
fn vex(top: &Object<'_>) -> Result<(), DocumentError> {
    text(
        top,
        "@context",
        "the context of OpenVEX, as https://openvex.dev/ns/v0.2.0",
        |text| Kind::of_predicate_type(text) == Some(Kind::Vex),
    )?;
    texts(top, &["@id", "author", "timestamp"])?;
    counted(&top.required("version")?)?;
    let statements = top.required("statements")?;
    if statements.array()?.is_empty() {
        return Err(statements.error("at least one statement"));
    }
    objects(&statements)?.iter().try_for_each(exploitability)
}

/// One of its statements; a vulnerability is an object with a name, in versions before 0.2.0 the name itself.
fn exploitability(statement: &Object<'_>) -> Result<(), DocumentError> {
    const STATUS: [&str; 4] = ["not_affected", "affected", "fixed", "under_investigation"];
    let vulnerability = statement.required("vulnerability")?;
    if vulnerability.string().is_err() {
        texts(&vulnerability.object()?, &["name"])?;
    }
    let expected = "not_affected, affected, fixed or under_investigation";
    text(statement, "status", expected, |text| STATUS.contains(&text))?;
    match statement.required("status")?.string()? {
        "affected" => texts(statement, &["action_statement"]),
        "not_affected" if statement.optional("justification").is_none() => {
            texts(statement, &["impact_statement"])
        }
        _ => Ok(()),
    }
}

/// in-toto attestation, `spec/predicates/vulns_02.md`.
fn vuln(top: &Object<'_>) -> Result<(), DocumentError> {
    let scanner = top.required("scanner")?.object()?;
    texts(&scanner, &["uri"])?;
    scanner.required("result")?;
    each(&scanner, "result", |found| {
        texts(found, &["id"])?;
        found.required("severity")?;
        each(found, "severity", |severity| {
            texts(severity, &["method", "score"])
        })
    })?;
    let metadata = top.required("metadata")?.object()?;
    texts(&metadata, &["scanStartedOn", "scanFinishedOn"])
}

/// in-toto attestation, `spec/predicates/test-result.md`.
fn test_result(top: &Object<'_>) -> Result<(), DocumentError> {
    const RESULTS: [&str; 3] = ["PASSED", "WARNED", "FAILED"];
    text(top, "result", "PASSED, WARNED or FAILED", |text| {
        RESULTS.contains(&text)
    })?;
    top.required("configuration")?;
    each(top, "configuration", |_| Ok(()))?;
    for member in ["passedTests", "warnedTests", "failedTests"] {
        let names = top.optional(member).map(|names| names.array()).transpose()?;
        let mut names = names.into_iter().flatten();
        names.try_for_each(|name| name.string().map(|_| ()))?;
    }
    Ok(())
}

/// SLSA 1.2, `verification_summary.md`.
fn vsa(top: &Object<'_>) -> Result<(), DocumentError> {
    texts(&top.required("verifier")?.object()?, &["id"])?;
    texts(top, &["timeVerified", "resourceUri"])?;
    texts(&top.required("policy")?.object()?, &["uri"])?;
    each(top, "inputAttestations", |input| {
        input.required("digest")?.object().map(|_| ())
    })?;
    text(top, "verificationResult", "PASSED or FAILED", |text| {
        ["PASSED", "FAILED"].contains(&text)
    })?;
    let levels = top.required("verifiedLevels")?.array()?;
    levels.iter().try_for_each(|level| level.string().map(|_| ()))
}
