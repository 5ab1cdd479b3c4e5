//! What a workflow sees: action.yml made from the table, the image it runs in, and the examples that use both.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use countersign::base::limits::Bounds;
use countersign::base::tree::Cursor;
use countersign::base::yaml;
use countersign::{cli, domain::report::Output};

use crate::generated::{check, in_repository};

/// Everything of action.yml: constants here, inputs and outputs from the table.
fn action_yml(image: &str) -> String {
    let mut text = String::from(
        "# Made from the code: BLESS=1 cargo test action\n\
         name: countersign\n\
         description: Sign container images with AWS Signer, attach signed provenance, and verify both as a stranger would\n\
         author: countersign\n\
         branding:\n  icon: shield\n  color: gray-dark\n",
    );
    text.push_str(&cli::action_inputs());
    text.push_str("outputs:\n");
    for output in Output::ALL {
        let description = serde_json::Value::from(output.description());
        let _ = writeln!(text, "  {}:\n    description: {description}", output.name());
    }
    // Values travel in the environment only: the runner's quoting of arguments is unsafe, and a caller may not replace
    // what is declared here (actions/runner, ContainerActionHandler.cs).
    let _ = write!(
        text,
        "runs:\n  using: docker\n  image: {image}\n  entrypoint: /countersign\n  args:\n    - action\n"
    );
    text
}

/// The image that action.yml has to name: a released version's by digest, the Dockerfile anywhere else.
fn image(named: &str, tags: &str) -> Result<String, String> {
    let released = tags.lines().any(|tag| {
        tag.strip_prefix('v')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    let digest = named.strip_prefix("docker://ghcr.io/countersign/countersign@sha256:");
    let pinned = digest.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    match (released, pinned) {
        (true, true) => Ok(named.to_owned()),
        (true, false) => Err(format!(
            "a released version names its image by digest, found {named}"
        )),
        (false, _) => Ok("Dockerfile".to_owned()),
    }
}

/// The tags of what is checked out; none outside of a repository.
fn tags() -> String {
    let listed = Command::new("git")
        .args(["tag", "--points-at", "HEAD"])
        .current_dir(in_repository(""))
        .output();
    let listed = listed.ok().filter(|output| output.status.success());
    listed.map_or_else(String::new, |output| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_action_is_made_from_the_table() {
    let text = fs::read_to_string(in_repository("action.yml")).unwrap();
    let named = text
        .lines()
        .find_map(|line| line.strip_prefix("  image: "))
        .unwrap();
    let image = image(named, &tags()).unwrap();
    check("action.yml", &action_yml(&image));
}

#[test]
fn a_release_names_its_image_by_digest_and_nothing_else_does() {
    let pinned = format!(
        "docker://ghcr.io/countersign/countersign@sha256:{}",
        "0a".repeat(32)
    );
    assert_eq!(image(&pinned, "v1\nv1.4.0\n"), Ok(pinned.clone()));
    assert!(image("Dockerfile", "v1.4.0\n").is_err());
    assert!(image("docker://ghcr.io/countersign/countersign:1.4.0", "v1.4.0\n").is_err());
    // So that a digest on main differs from what is made, and is found.
    assert_eq!(
        image(&pinned, "buildtypes-v1\nvnext\n"),
        Ok("Dockerfile".to_owned())
    );
    // The release workflow writes what is asked for here.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("action.yml");
    let pin = |digest: &str| {
        fs::write(&file, action_yml("Dockerfile")).unwrap();
        let mut script = Command::new(in_repository(".ci/pin-action"));
        let script = script
            .args(["ghcr.io/countersign/countersign", digest])
            .arg(&file);
        script.output().unwrap().status.code()
    };
    assert_eq!(pin(&format!("sha256:{}", "0a".repeat(32))), Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), action_yml(&pinned));
    for wrong in ["", "sha256:0a", "latest"] {
        assert_eq!(pin(wrong), Some(2), "{wrong}");
    }
    let release = fs::read_to_string(in_repository(".github/workflows/release.yml")).unwrap();
    assert!(release.contains(".ci/pin-action \"$IMAGE\" \"$DIGEST\" action.yml"));
}

#[test]
fn the_component_uses_each_of_its_inputs_and_variables_that_exist() {
    let text = fs::read_to_string(in_repository("examples/gitlab/templates/countersign.yml")).unwrap();
    let (head, job) = text.split_once("\n---\n").unwrap();
    let head = yaml::read(head.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
    let declared = head.cursor().pointer("/spec/inputs").unwrap().object().unwrap();
    let declared: BTreeSet<&str> = declared.members().map(|(name, _)| name).collect();
    let used: BTreeSet<&str> = job
        .split("$[[ inputs.")
        .skip(1)
        .map(|rest| rest.split_once(" ]]").unwrap().0)
        .collect();
    assert_eq!(used, declared);
    let script = job
        .lines()
        .find_map(|line| line.strip_prefix("  script: "))
        .unwrap();
    assert!(!script.contains("inputs."), "no input becomes part of the script");
    let job = yaml::read(job.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
    let job = job.cursor().object().unwrap();
    let (_, job) = job.members().next().unwrap();
    let variables = job.pointer("/variables").unwrap().object().unwrap();
    let known = inputs();
    for (name, _) in variables.members() {
        let input = name
            .strip_prefix("COUNTERSIGN_")
            .unwrap()
            .to_lowercase()
            .replace('_', "-");
        assert!(known.contains(&input), "{name}");
    }
}

#[test]
fn the_image_of_the_action_is_one_program_and_root() {
    let text = fs::read_to_string(in_repository("Dockerfile")).unwrap();
    let last = text.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("scratch AS action\n"), "{last}");
    assert!(
        last.contains("ENTRYPOINT [\"/countersign\"]\nCMD [\"action\"]\n"),
        "{last}"
    );
    for word in ["USER", "WORKDIR", "RUN", "ENV"] {
        assert!(
            !last.lines().any(|line| line.starts_with(word)),
            "{word} in the last stage"
        );
    }
    assert!(text.contains("\nFROM alpine:3.22 AS shell\n"));
}

/// Cargo refuses a manifest of which a target's file is missing, even where that target is not built.
#[test]
fn what_the_image_is_built_from_holds_every_target_of_the_manifest() {
    let ignored = fs::read_to_string(in_repository(".dockerignore")).unwrap();
    let context: Vec<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let is_there = |file: &str| {
        let within = |entry: &&str| {
            let rest = file.strip_prefix(*entry);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        in_repository(file).is_file() && context.iter().any(within)
    };
    assert!(is_there(".cargo/config.toml"), "the linker's flags");
    let manifest = fs::read_to_string(in_repository("Cargo.toml")).unwrap();
    for target in manifest.split("\n[[").skip(1) {
        let member = |name: &str| {
            let line = target.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_matches([' ', '=', '"']).to_owned())
        };
        let name = member("name").unwrap();
        let files = match member("path") {
            Some(path) => vec![path],
            None => vec![format!("benches/{name}.rs"), format!("benches/{name}/main.rs")],
        };
        assert!(files.iter().any(|file| is_there(file)), "{files:?}");
    }
}

/// The names that `with:` may use.
fn inputs() -> BTreeSet<String> {
    let document = yaml::read(cli::action_inputs().as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
    let inputs = document.cursor().pointer("/inputs").unwrap().object().unwrap();
    inputs.members().map(|(name, _)| name.to_owned()).collect()
}

/// Every file of a directory, by name.
fn files(directory: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(in_repository(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The mappings of a document that have a member `uses`, and what they use.
fn uses<'a>(at: &Cursor<'a>, found: &mut Vec<(String, Cursor<'a>)>) {
    if let Ok(object) = at.object() {
        if let Some(name) = object.optional("uses") {
            found.push((name.string().unwrap().to_owned(), at.clone()));
        }
        for (_, member) in object.members() {
            uses(&member, found);
        }
    } else if let Ok(items) = at.array() {
        for item in &items {
            uses(item, found);
        }
    }
}

#[test]
fn workflows_give_inputs_that_the_action_takes() {
    let inputs = inputs();
    let sign = fs::read_to_string(in_repository(".github/workflows/sign.yml")).unwrap();
    let sign = yaml::read(sign.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
    let called = sign.cursor().pointer("/on/workflow_call/inputs").unwrap();
    let called = called.object().unwrap();
    let called: BTreeSet<&str> = called.members().map(|(name, _)| name).collect();
    let mut seen = 0;
    for (path, text) in files("examples/github")
        .into_iter()
        .chain(files(".github/workflows"))
    {
        let document = yaml::read(text.as_bytes(), Bounds::SMALL_DOCUMENT).unwrap();
        let mut found = Vec::new();
        uses(&document.cursor(), &mut found);
        for (name, step) in found {
            let with = step.pointer("/with");
            let with = with.as_ref().map(|with| with.object().unwrap());
            let keys: Vec<&str> = with
                .iter()
                .flat_map(countersign::base::tree::Object::members)
                .map(|(key, _)| key)
                .collect();
            if name.starts_with("countersign/countersign/.github/workflows/sign.yml@") {
                assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), called, "{path}");
            } else if name == "./" || name.starts_with("countersign/countersign@") {
                let unknown: Vec<_> = keys.into_iter().filter(|key| !inputs.contains(*key)).collect();
                assert_eq!(unknown, Vec::<&str>::new(), "{path}");
                seen += 1;
            } else {
                let hash = name.split_once('@').unwrap().1;
                assert!(hash.len() == 40, "{path}: {name} is not pinned by commit");
            }
        }
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn workflows_start_without_permissions() {
    for (path, text) in files(".github/workflows")
        .into_iter()
        .chain(files("examples/github"))
    {
        assert!(text.lines().any(|line| line == "permissions: {}"), "{path}");
    }
}

#[test]
fn examples_are_short_and_name_what_exists() {
    let inputs = inputs();
    for (host, count) in [
        ("github", 5),
        ("gitlab", 5),
        ("codebuild", 5),
        ("bitbucket", 1),
        ("jenkins", 1),
    ] {
        let files = files(&format!("examples/{host}"));
        assert_eq!(files.len(), count, "{host}");
        for (path, text) in files {
            assert!(text.lines().count() <= 12, "{path}");
            for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_') {
                let name = word.strip_prefix("--").map(str::to_owned);
                let name = name.or_else(|| {
                    let variable = word.strip_prefix("COUNTERSIGN_")?;
                    Some(variable.to_lowercase().replace('_', "-"))
                });
                // Docker's own flag, with which Jenkins starts a container that has to stay.
                if let Some(name) = name.filter(|name| name != "entrypoint") {
                    assert!(inputs.contains(&name), "{path}: {name}");
                }
            }
            let mut rest = text
                .split("countersign run")
                .chain(text.split("countersign verify"));
            assert!(host == "github" || rest.nth(1).is_some(), "{path}");
        }
    }
}

#[test]
fn guides_show_the_examples_as_they_are() {
    for (host, example, tag) in [
        ("github", "single-image.yml", "yaml"),
        ("gitlab", "single-image.yml", "yaml"),
        ("codebuild", "single-image.yml", "yaml"),
        ("bitbucket", "single-image.yml", "yaml"),
        ("jenkins", "Jenkinsfile", "groovy"),
    ] {
        let guide = fs::read_to_string(in_repository(&format!("docs/guides/{host}.md"))).unwrap();
        let example = fs::read_to_string(in_repository(&format!("examples/{host}/{example}"))).unwrap();
        assert!(guide.contains(&format!("```{tag}\n{example}```\n")), "{host}");
    }
}
