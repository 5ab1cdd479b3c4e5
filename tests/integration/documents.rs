//! What the documentation shows is what the code reads and writes.

use countersign::domain::oci::Digest;
use countersign::domain::provenance::{BuildFacts, MANUAL_BUILD_TYPE, Statement};

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
