//! What an attestation says, for people: the facts of a build, or one line about any other document.

use super::{Attested, Kind, Member};
use crate::base::foreign::Foreign;
use crate::base::tree::Value;

/// Facts by name, in the order of telling.
pub(super) fn facts(attested: &Attested) -> Vec<(&'static str, Foreign)> {
    if attested.kind() == Some(Kind::Provenance) {
        return of_build(attested);
    }
    vec![("summary", Foreign::new(summary(attested)))]
}

fn of_build(attested: &Attested) -> Vec<(&'static str, Foreign)> {
    let member = |name, member: Member| (name, member.of(attested));
    let text = |name, pointer| (name, attested.text(pointer));
    let facts = [
        member("builder", Member::Builder),
        text("build type", "/predicate/buildDefinition/buildType"),
        member("source", Member::Source),
        member("ref", Member::Ref),
        member("commit", Member::Commit),
        member("workflow", Member::Workflow),
        member("event", Member::Event),
        member("runner", Member::RunnerEnvironment),
        text("started", "/predicate/runDetails/metadata/startedOn"),
        text("run", "/predicate/runDetails/metadata/invocationId"),
    ];
    facts
        .into_iter()
        .filter_map(|(name, text)| Some((name, Foreign::new(text?))))
        .collect()
}

/// One line.
fn summary(attested: &Attested) -> String {
    let text = |pointer: &str| attested.text(pointer).unwrap_or("?");
    let count = |pointer: &str, one: &str| match attested.at(pointer).map(|member| member.value().clone()) {
        Some(Value::List(items)) if items.len() == 1 => format!("1 {one}"),
        Some(Value::List(items)) => format!("{} {one}s", items.len()),
        _ => format!("no {one}s"),
    };
    match attested.kind() {
        Some(Kind::Spdx) if attested.at("/predicate/@graph").is_some() => {
            format!("SPDX 3, {}", count("/predicate/@graph", "element"))
        }
        Some(Kind::Spdx) => {
            let packages = count("/predicate/packages", "package");
            format!(
                "{} of {}, {packages}",
                text("/predicate/spdxVersion"),
                text("/predicate/name")
            )
        }
        Some(Kind::CycloneDx) => {
            let components = count("/predicate/components", "component");
            format!("CycloneDX {}, {components}", text("/predicate/specVersion"))
        }
        Some(Kind::Vex) => {
            let statements = count("/predicate/statements", "statement");
            format!("OpenVEX by {}, {statements}", text("/predicate/author"))
        }
        Some(Kind::Sarif) => {
            let results = count("/predicate/runs/0/results", "result");
            format!(
                "SARIF by {}, {results}",
                text("/predicate/runs/0/tool/driver/name")
            )
        }
        Some(Kind::Vuln) => {
            let found = count("/predicate/scanner/result", "finding");
            format!("vulnerabilities by {}, {found}", text("/predicate/scanner/uri"))
        }
        Some(Kind::TestResult) => format!("tests {}", text("/predicate/result")),
        Some(Kind::Vsa) => format!(
            "{} at {} for {}, {}; by {}, held against the policy {}",
            text("/predicate/verificationResult"),
            text("/predicate/timeVerified"),
            text("/predicate/resourceUri"),
            levels(attested),
            text("/predicate/verifier/id"),
            text("/predicate/policy/uri")
        ),
        Some(Kind::BuildKit) => {
            let builder = ["/predicate/runDetails/builder/id", "/predicate/builder/id"];
            let builder = builder.into_iter().find_map(|pointer| attested.text(pointer));
            match builder.filter(|builder| !builder.is_empty()) {
                Some(builder) => format!("built by BuildKit for {builder}"),
                None => "built by BuildKit".to_owned(),
            }
        }
        Some(Kind::Provenance) | None => match attested.at("/predicate").map(|member| member.value().clone())
        {
            Some(Value::Map(members)) if members.len() == 1 => "a predicate of 1 member".to_owned(),
            Some(Value::Map(members)) => format!("a predicate of {} members", members.len()),
            _ => "no predicate".to_owned(),
        },
    }
}

/// The levels that a summary lists.
fn levels(attested: &Attested) -> String {
    let all = attested.at("/predicate/verifiedLevels");
    let all = all.map(|member| member.value().clone());
    let words: Vec<String> = match all {
        Some(Value::List(items)) => items.into_iter().filter_map(|item| match item.value {
            Value::Text(text) => Some(text),
            _ => None,
        }),
        _ => return "no levels".to_owned(),
    }
    .collect();
    if words.is_empty() {
        "no levels".to_owned()
    } else {
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::provenance::Statement;

    fn told(predicate_type: &str, predicate: &str) -> Vec<(&'static str, String)> {
        let text = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"x":"y"}}}}],
                "predicateType":"{predicate_type}","predicate":{predicate}}}"#
        );
        let attested = Attested::Statement(Statement::read(text.as_bytes()).unwrap());
        let facts = attested.facts().into_iter();
        facts.map(|(name, text)| (name, text.raw().to_owned())).collect()
    }

    #[test]
    fn a_provenance_is_told_by_its_facts_in_their_order() {
        let facts = told(
            "https://slsa.dev/provenance/v1",
            r#"{"buildDefinition":{"buildType":"t","externalParameters":{"workflow":{"ref":"r","repository":"s","path":"p"}},
                "internalParameters":{"github":{"event_name":"push"}},"resolvedDependencies":[{"digest":{"gitCommit":"c"}}]},
                "runDetails":{"builder":{"id":"b"},"metadata":{"invocationId":"i","startedOn":"2025-01-01T00:00:00Z"}}}"#,
        );
        let expected = [
            ("builder", "b"),
            ("build type", "t"),
            ("source", "s"),
            ("ref", "r"),
            ("commit", "c"),
            ("workflow", "p"),
            ("event", "push"),
            ("started", "2025-01-01T00:00:00Z"),
            ("run", "i"),
        ];
        assert_eq!(facts, expected.map(|(name, text)| (name, text.to_owned())));
    }

    #[test]
    fn any_other_document_is_one_line() {
        for (predicate_type, predicate, line) in [
            (
                "https://spdx.dev/Document",
                r#"{"spdxVersion":"SPDX-2.3","name":"web","packages":[{}]}"#,
                "SPDX-2.3 of web, 1 package",
            ),
            (
                "https://cyclonedx.org/bom",
                r#"{"specVersion":"1.6","components":[1,2]}"#,
                "CycloneDX 1.6, 2 components",
            ),
            (
                "https://openvex.dev/ns",
                r#"{"author":"a"}"#,
                "OpenVEX by a, no statements",
            ),
            (
                "https://in-toto.io/attestation/vulns/v0.2",
                r#"{"scanner":{"uri":"u","result":[]}}"#,
                "vulnerabilities by u, 0 findings",
            ),
            (
                "https://in-toto.io/attestation/test-result/v0.1",
                r#"{"result":"PASSED"}"#,
                "tests PASSED",
            ),
            (
                "https://slsa.dev/verification_summary/v1",
                r#"{"verificationResult":"PASSED","verifier":{"id":"v"},"policy":{"uri":"p"}}"#,
                "PASSED at ? for ?, no levels; by v, held against the policy p",
            ),
            (
                "https://slsa.dev/verification_summary/v1",
                r#"{"verificationResult":"PASSED","verifier":{"id":"v"},"policy":{"uri":"p"},"resourceUri":"oci://r",
                    "timeVerified":"2026-01-01T00:00:00Z","verifiedLevels":["SLSA_BUILD_LEVEL_2", 1, "X"]}"#,
                "PASSED at 2026-01-01T00:00:00Z for oci://r, SLSA_BUILD_LEVEL_2, X; by v, held against the policy p",
            ),
            ("https://example.com/x", r#"{"a":1}"#, "a predicate of 1 member"),
            (
                "https://example.com/x",
                r#"{"a":1,"b":2}"#,
                "a predicate of 2 members",
            ),
            (
                "https://slsa.dev/provenance/v1",
                r#"{"buildDefinition":{"buildType":"https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"},"runDetails":{"builder":{"id":"https://ci.example/7"}}}"#,
                "built by BuildKit for https://ci.example/7",
            ),
            (
                "https://slsa.dev/provenance/v0.2",
                r#"{"buildType":"https://mobyproject.org/buildkit@v1","builder":{"id":""}}"#,
                "built by BuildKit",
            ),
            (
                "https://spdx.dev/Document",
                r#"{"@graph":[1,2]}"#,
                "SPDX 3, 2 elements",
            ),
        ] {
            assert_eq!(told(predicate_type, predicate), [("summary", line.to_owned())]);
        }
    }
}
