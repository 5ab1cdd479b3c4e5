//! Trust that a person names: a trust policy and a trust store on disk, and what lies in them that is none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::scratch::Scratch;

const IMAGE: &str = "oci:demo:1.0";

/// A signed image, and the trust that its run left behind as Notation's configuration directory.
struct Notation {
    scratch: Scratch,
    config: PathBuf,
}

impl Notation {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.demo();
        let config = scratch.path("notation");
        fs::rename(scratch.path("countersign-report/trust"), &config).unwrap();
        Self { scratch, config }
    }

    /// Judges, demands an exit code, and returns everything that was said.
    fn verify(&self, code: i32, variables: &[(&str, &Path)], args: &[&str]) -> String {
        let mut command = self.scratch.command(&[&["verify", IMAGE], args].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{said}");
        said
    }

    /// Judges by what Notation's configuration holds.
    fn judge(&self, code: i32) -> String {
        let named = ["--trust-policy=notation", "--trust-store=notation"];
        self.verify(code, &[("NOTATION_CONFIG", &self.config)], &named)
    }

    /// The directory of the one trust store that the policy names.
    fn store(&self) -> PathBuf {
        let stores = self.config.join("truststore/x509/ca");
        fs::read_dir(stores).unwrap().next().unwrap().unwrap().path()
    }
}

#[test]
fn the_configuration_of_notation_counts_only_where_it_is_asked_for() {
    let notation = Notation::new();
    notation.judge(0);
    // Nobody asked for it, and there is nothing else to judge by.
    let said = notation.verify(2, &[("NOTATION_CONFIG", &notation.config)], &[]);
    assert!(said.contains("signing-profile"), "{said}");
    // Found below XDG_CONFIG_HOME and below HOME too, by its own name.
    let named = ["--trust-policy=notation", "--trust-store=notation"];
    let above = notation.scratch.path("");
    notation.verify(0, &[("XDG_CONFIG_HOME", &above)], &named);
    let home = notation.scratch.path(".config");
    fs::create_dir(&home).unwrap();
    fs::rename(&notation.config, home.join("notation")).unwrap();
    notation.verify(0, &[], &named);
    let said = notation.verify(2, &[("NOTATION_CONFIG", &notation.config)], &named);
    assert!(said.contains("could not find a trust policy in"), "{said}");
}

#[test]
fn the_former_name_counts_only_where_the_present_one_is_absent() {
    let notation = Notation::new();
    let (present, former) = ["trustpolicy.oci.json", "trustpolicy.json"]
        .map(|name| notation.config.join(name))
        .into();
    fs::write(&present, "{").unwrap();
    assert!(former.exists());
    let said = notation.judge(2);
    assert!(said.contains("trustpolicy.oci.json"), "{said}");
}

#[test]
fn as_an_action_nothing_is_looked_for_in_the_configuration_of_notation() {
    let notation = Notation::new();
    for (policy, store) in [("notation", ""), ("notation/trustpolicy.json", "notation")] {
        let output = notation
            .scratch
            .command(&["action"])
            .env("GITHUB_ACTIONS", "true")
            .env("NOTATION_CONFIG", &notation.config)
            .env("INPUT_COMMAND", "verify")
            .env("INPUT_IMAGES", IMAGE)
            .env("INPUT_TRUST-POLICY", policy)
            .env("INPUT_TRUST-STORE", store)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("any earlier step can write it"), "{said}");
    }
}

#[test]
fn what_is_no_file_of_its_own_is_no_trust() {
    type Spoil = fn(&Notation);
    let cases: [(&str, Spoil, &str); 7] = [
        (
            "a policy that is a link",
            |notation| moved_and_linked(&notation.config.join("trustpolicy.json")),
            "found a symbolic link",
        ),
        (
            "a policy that is a directory",
            |notation| {
                let policy = notation.config.join("trustpolicy.json");
                fs::remove_file(&policy).unwrap();
                fs::create_dir(policy).unwrap();
            },
            "found a directory",
        ),
        (
            "a store that is a link",
            |notation| moved_and_linked(&notation.store()),
            "found a symbolic link",
        ),
        (
            "a store that is a file",
            |notation| {
                let store = notation.store();
                fs::remove_dir_all(&store).unwrap();
                fs::write(store, "").unwrap();
            },
            "found a file",
        ),
        (
            "a certificate that is a link",
            |notation| moved_and_linked(&notation.store().join("1.crt")),
            "found a symbolic link",
        ),
        (
            "a directory among the certificates",
            |notation| fs::create_dir(notation.store().join("more")).unwrap(),
            "found a directory",
        ),
        (
            "a store without certificates",
            |notation| fs::remove_file(notation.store().join("1.crt")).unwrap(),
            "certificate",
        ),
    ];
    for (what, spoil, words) in cases {
        let notation = Notation::new();
        spoil(&notation);
        let said = notation.judge(2);
        assert!(said.contains(words), "{what}: {said}");
    }
}

/// Puts a link where a file or directory was, to where it is now: out of the directory, where it counts for nothing.
fn moved_and_linked(path: &Path) {
    let elsewhere = path.parent().unwrap().parent().unwrap().join("elsewhere");
    fs::rename(path, &elsewhere).unwrap();
    symlink(elsewhere, path).unwrap();
}
