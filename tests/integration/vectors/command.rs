//! The layouts of the vectors through the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::{Case, Judged, layouts};

/// The layout of a case, with policy and trust store as Notation keeps them.
pub(crate) struct Laid {
    pub(crate) case: Case,
    home: TempDir,
}

/// Everything among the vectors that is verified as a layout.
pub(crate) fn laid(vectors: &Path) -> impl Iterator<Item = Laid> {
    let cases = super::load(vectors).into_iter();
    cases
        .filter(|case| case.kind == "oci-layout-verify")
        .map(|case| Laid::new(&case))
}

impl Laid {
    fn new(case: &Case) -> Self {
        let home = TempDir::new().expect("a scratch directory");
        fs::write(home.path().join("trustpolicy.json"), case.bytes("policy")).expect("a policy is written");
        for (name, files) in case.input("trust_stores").as_object().into_iter().flatten() {
            let store = home.path().join("truststore/x509").join(name.replace(':', "/"));
            fs::create_dir_all(&store).expect("a store is made");
            for (number, file) in files.as_array().into_iter().flatten().enumerate() {
                let bytes = case.bytes_at(file.as_str().expect("a file"));
                fs::write(store.join(format!("{number}.crt")), bytes).expect("a certificate is written");
            }
        }
        Self {
            case: case.clone(),
            home,
        }
    }

    /// A configuration directory as Notation keeps one.
    pub(crate) fn configuration(&self) -> &Path {
        self.home.path()
    }

    /// The layout.
    pub(crate) fn layout(&self) -> PathBuf {
        self.case.path("layout")
    }

    /// The repository that the layout is taken for, and the tag or digest in it.
    pub(crate) fn scope_and_reference(&self) -> (&str, &str) {
        let reference = self.case.text("artifact_reference");
        reference
            .split_once('@')
            .or_else(|| reference.rsplit_once(':'))
            .expect("a tag or a digest")
    }

    /// Whether a trust store for timestamps is there, so that one may be asked for.
    pub(crate) fn has_timestamps(&self) -> bool {
        let stores = self.case.input("trust_stores").as_object().into_iter().flatten();
        stores.into_iter().any(|(name, _)| name.starts_with("tsa:"))
    }

    /// What the shipped program says about it, and what it leaves behind.
    pub(crate) fn ask(&self, command: &str, more: &[&str]) -> Output {
        let (scope, reference) = self.scope_and_reference();
        let mark = if reference.contains(':') { '@' } else { ':' };
        Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg(command)
            .arg(format!("oci:{}{mark}{reference}", self.layout().display()))
            .args(["--repository", scope])
            .arg("--trust-policy")
            .arg(self.home.path().join("trustpolicy.json"))
            .arg("--trust-store")
            .arg(self.home.path().join("truststore"))
            .args(more)
            .env_clear()
            .current_dir(self.home.path())
            .output()
            .expect("the program runs")
    }

    /// Whether `verify` accepts it; anything but a verdict is a failure of the test.
    pub(crate) fn is_accepted(&self, more: &[&str]) -> bool {
        let output = self.ask("verify", more);
        let report = fs::read(self.home.path().join("countersign-report/report.json"));
        let report: Value = serde_json::from_slice(&report.unwrap_or_default()).unwrap_or_default();
        let states = ["verified", "rejected", "failed"];
        let state = report["targets"][0]["state"].as_str();
        assert!(
            state.is_some_and(|state| states.contains(&state)),
            "{}: {}",
            self.case.name,
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            output.status.code() == Some(0),
            state == Some("verified"),
            "{}",
            self.case.name
        );
        state == Some("verified")
    }
}

/// What the command line says of a layout, where it can be asked: no flag sets a clock or a limit of signatures, and
/// where the system's clock changes the outcome, or a timestamp may, there is nothing to compare.
pub(super) fn second_opinion(case: &Case, judged: &Judged) -> Option<bool> {
    let laid = Laid::new(case);
    let limited = !case.input("max_signatures").is_null();
    if limited || laid.has_timestamps() || layouts::verified_at(case, None).accepted != judged.accepted {
        return None;
    }
    // Like the reference library, a case takes a digest and leaves finding a tag's to the caller.
    Some(laid.is_accepted(&["--require-digest"]))
}
