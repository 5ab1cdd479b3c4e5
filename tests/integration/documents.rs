//! What the documentation shows is what the code reads and writes.

use countersign::domain::oci::Digest;
use countersign::domain::provenance::{BuildFacts, MANUAL_BUILD_TYPE, Statement};

use countersign::edge::ci::Host;

use crate::generated::in_repository;

#[test]
fn the_example_of_the_manual_build_type_is_one() {
    let page = std::fs::read_to_string(in_repository("docs/buildtypes/manual.md")).unwrap();
    assert!(MANUAL_BUILD_TYPE.ends_with("/docs/buildtypes/manual.md"));
    assert!(page.contains(&format!("`{MANUAL_BUILD_TYPE}`")));
    let example = page
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let statement = Statement::read(example.as_bytes()).unwrap();
    let facts = BuildFacts::manual(
        statement.builder().unwrap().parse().unwrap(),
        statement.source().unwrap().parse().unwrap(),
    );
    let digest: Digest = "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270"
        .parse()
        .unwrap();
    assert!(statement.claims_same(&[("registry.example.com/team/web".to_owned(), digest)], &facts));
}

/// Every fact of a build and where it comes from, as a table.
fn sources(host: Host) -> String {
    let code = |name: Option<&str>| name.map_or("–".to_owned(), |name| format!("`{name}`"));
    let rows = host.sources().iter().map(|fact| {
        format!(
            "| {} | {} | {} |\n",
            fact.members,
            code(fact.claim),
            code(fact.variable)
        )
    });
    let (witness, without) = match host {
        Host::CodeBuild => ("member of the record", "variable without a record"),
        _ => ("claim of the token", "variable without a token"),
    };
    let head = format!("| members | {witness} | {without} |\n|---|---|---|\n");
    std::iter::once(head).chain(rows).collect()
}

#[test]
fn the_pages_of_build_types_list_every_field_and_its_source() {
    for (host, page) in [
        (Host::GitHub, "github-event"),
        (Host::GitLab, "gitlab-job"),
        (Host::CodeBuild, "codebuild"),
        (Host::Bitbucket, "bitbucket-step"),
        (Host::Jenkins, "jenkins"),
    ] {
        let path = in_repository(&format!("docs/buildtypes/{page}.md"));
        let text = std::fs::read_to_string(&path).unwrap();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        let table = rows.join("\n") + "\n";
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, text.replace(&table, &sources(host))).unwrap();
        } else {
            assert_eq!(table, sources(host), "{page}; rewrite it with BLESS=1");
        }
    }
}
