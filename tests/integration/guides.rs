//! What the guides quote exists: messages in the source, policies of AWS that are policies.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::generated::in_repository;

fn guide(name: &str) -> String {
    fs::read_to_string(in_repository(&format!("docs/guides/{name}.md"))).unwrap()
}

/// What ships, in one text: literals that go on over several lines are one piece.
fn source() -> String {
    let mut text = String::new();
    let mut directories = vec![in_repository("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&shipped(&path));
            }
        }
    }
    text
}

/// A file without its tests, its literals joined.
fn shipped(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let mut joined = String::new();
    for (index, piece) in text.split("\\\n").enumerate() {
        joined.push_str(if index == 0 { piece } else { piece.trim_start() });
    }
    joined
}

/// The message in a heading, cut where names of the reader's stand.
fn fragments(heading: &str) -> Vec<&str> {
    let message = heading.trim_matches('`');
    let parts = message
        .split('…')
        .map(str::trim)
        .map(|part| part.trim_end_matches(','));
    parts.filter(|part| part.len() >= 4).collect()
}

#[test]
fn every_guide_is_found_from_the_readme() {
    let readme = fs::read_to_string(in_repository("README.md")).unwrap();
    for entry in fs::read_dir(in_repository("docs/guides")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("](docs/guides/{name}")), "{name}");
    }
}

#[test]
fn every_message_that_is_explained_can_be_said() {
    let (page, source) = (guide("troubleshooting"), source());
    let headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    assert!(headings.len() >= 20, "{}", headings.len());
    for heading in headings {
        assert!(heading.starts_with('`') && heading.ends_with('`'), "{heading}");
        let fragments = fragments(heading);
        assert!(
            fragments.iter().any(|part| part.len() >= 12),
            "{heading}: nothing to search for"
        );
        for fragment in fragments {
            assert!(source.contains(fragment), "{heading}: nobody says {fragment:?}");
        }
    }
}

#[test]
fn a_message_that_nobody_says_is_found() {
    let source = source();
    let said = |heading| fragments(heading).into_iter().all(|part| source.contains(part));
    assert!(said("`this job may not have an identity token`"));
    assert!(!said("`this job may have no identity token at all`"));
    assert!(said("`the tag of … moved while it was being signed`"));
    assert!(!said("`the tag of … ran away`"));
}

#[test]
fn what_lands_in_the_registry_is_called_as_in_the_source() {
    let (page, source) = (guide("registry"), source());
    let names = page.split('`').skip(1).step_by(2);
    let known = ["application/", "org.opencontainers.", "io.cncf.", "in-toto.io/"];
    let names: Vec<&str> = names
        .filter(|name| known.iter().any(|begin| name.starts_with(begin)))
        .collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(source.contains(&format!("\"{name}\"")), "{name}");
    }
}

/// The blocks of a page with this tag.
fn blocks(page: &str, tag: &str) -> Vec<String> {
    let fence = format!("```{tag}\n");
    let blocks = page.split(fence.as_str()).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// One value, or each of several.
fn texts(value: &serde_json::Value) -> Vec<&str> {
    match value {
        serde_json::Value::Array(values) => values.iter().map(|value| value.as_str().unwrap()).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

#[test]
fn policies_to_copy_are_policies() {
    let page = guide("aws");
    let (mut trusted, mut actions) = (BTreeSet::new(), BTreeSet::new());
    for block in blocks(&page, "json") {
        let policy: serde_json::Value = serde_json::from_str(&block).unwrap();
        assert_eq!(policy["Version"], "2012-10-17", "{block}");
        for statement in policy["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow", "{block}");
            let allowed = texts(&statement["Action"]);
            assert!(
                !allowed.is_empty() && allowed.iter().all(|action| !action.contains('*')),
                "{block}"
            );
            if statement["Principal"].is_null() {
                let everything = texts(&statement["Resource"]) == ["*"];
                assert!(!everything || allowed == ["ecr:GetAuthorizationToken"], "{block}");
                actions.extend(allowed.into_iter().map(str::to_owned));
                continue;
            }
            let principal = statement["Principal"].as_object().unwrap();
            let (_, who) = principal.iter().next().unwrap();
            let who = who.as_str().unwrap().to_owned();
            let conditions = statement["Condition"].to_string();
            if let Some(issuer) = who.split("oidc-provider/").nth(1) {
                // IAM refuses roles for shared issuers without the first; without the second any audience would do.
                assert!(conditions.contains(&format!("\"{issuer}:sub\":")), "{block}");
                assert!(
                    conditions.contains(&format!("\"{issuer}:aud\":\"sts.amazonaws.com\"")),
                    "{block}"
                );
                assert_eq!(allowed, ["sts:AssumeRoleWithWebIdentity"], "{block}");
            } else {
                assert!(conditions.contains("\"aws:SourceArn\":"), "{block}");
                assert_eq!(allowed, ["sts:AssumeRole"], "{block}");
            }
            trusted.insert(who.rsplit('/').next().unwrap().to_owned());
        }
    }
    let hosts = [
        "codebuild.amazonaws.com",
        "gitlab.com",
        "token.actions.githubusercontent.com",
    ];
    assert_eq!(trusted.into_iter().collect::<Vec<_>>(), hosts);
    let needed = [
        "codebuild:BatchGetBuilds",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
        "signer:GetRevocationStatus",
        "signer:GetSigningProfile",
        "signer:SignPayload",
    ];
    assert_eq!(actions.into_iter().collect::<Vec<_>>(), needed);
}

#[test]
fn the_readme_s_step_is_short() {
    let readme = fs::read_to_string(in_repository("README.md")).unwrap();
    let steps = blocks(&readme, "yaml");
    assert!(!steps.is_empty());
    for step in steps {
        assert!(step.lines().count() <= 12, "{step}");
    }
    let example = fs::read_to_string(in_repository("examples/github/single-image.yml")).unwrap();
    assert!(readme.contains(&format!("```yaml\n{example}```\n")));
}
