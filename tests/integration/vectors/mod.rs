//! The conformance vectors of the Notary Project rules: loads the cases, hands each to the module that knows its
//! kind, compares, and prints what differs.
//!
//! The format is described in `tests/vectors/notary/README.md`. Nothing here knows a case by name; what is left out
//! is left out by topic or kind, in one list.

mod certs;
pub(crate) mod command;
mod envelope;
pub(crate) mod layouts;
mod oci;
mod referrers;
mod trust;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use countersign::base::time::Timestamp;
use serde_json::{Map, Value, json};

/// Topics and kinds that this verifier does not cover yet and refuses by name: COSE envelopes, RFC 3161 timestamps,
/// CRL and OCSP, blobs, foreign verification plugins. The one list of what is left out.
const LEFT_OUT: [Filter; 8] = [
    Filter::Topic("envelope-cose"),
    Filter::Topic("timestamp"),
    Filter::Topic("revocation"),
    Filter::Topic("blob"),
    Filter::Topic("plugin-contract"),
    Filter::Topic("plugin-verify"),
    Filter::Kind("trust-policy-blob"),
    Filter::Kind("policy-select-blob"),
];

/// The words in which this verifier refuses a COSE envelope, wherever a case of a covered topic holds one: such a case
/// may be refused though it wants `accept`, but only in these words, and no other case may be.
const COSE_REFUSED: &str = "found a COSE envelope, which is not supported yet";

/// The media type of COSE envelopes.
const COSE: &str = "application/cose";

/// The modules that judge cases, asked in turn.
const JUDGES: [fn(&Case) -> Option<Judged>; 6] = [
    envelope::judge,
    certs::judge,
    oci::judge,
    layouts::judge,
    referrers::judge,
    trust::judge,
];

/// Members of `expected_detail` that quote another program's wording or staging.
pub(crate) const INFORMATIVE: [&str; 2] = ["error_contains", "stage"];

/// Leaves out cases by topic or by kind.
#[derive(Clone, Copy, Debug)]
enum Filter {
    Topic(&'static str),
    Kind(&'static str),
}

impl Filter {
    fn covers(self, case: &Case) -> bool {
        match self {
            Self::Topic(topic) => case.topic == topic,
            Self::Kind(kind) => case.kind == kind,
        }
    }
}

/// What the verifier has to say about a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Accept,
    Reject,
    Either,
}

/// One conformance case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) kind: String,
    pub(crate) wanted: Wanted,
    /// Whether specification and reference disagree, so that another member says what is wanted.
    pub(crate) disputed: bool,
    /// Why, in a sentence.
    pub(crate) reason: String,
    /// `expected_detail`, or an empty object.
    pub(crate) detail: Map<String, Value>,
    /// `inputs`, or an empty object.
    pub(crate) inputs: Map<String, Value>,
    files: BTreeMap<String, String>,
    root: PathBuf,
}

impl Case {
    fn read(root: &Path, case: &Value) -> Self {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let object = |name: &str| case[name].as_object().cloned().unwrap_or_default();
        let disputed = !case["disputed"].is_null();
        let decided = if disputed { "recommended" } else { "expected" };
        let wanted = match case[decided].as_str() {
            Some("accept") => Wanted::Accept,
            Some("reject") => Wanted::Reject,
            Some("either") => Wanted::Either,
            other => panic!("{}: {decided} is {other:?}", text("name")),
        };
        let files = object("files")
            .into_iter()
            .filter_map(|(role, path)| Some((role, path.as_str()?.to_owned())));
        Self {
            name: text("name"),
            topic: text("topic"),
            kind: text("kind"),
            reason: text("reason"),
            wanted,
            // The details belong to the expected outcome, which a disputed case need not want.
            detail: if case["expected"] == case[decided] {
                object("expected_detail")
            } else {
                Map::new()
            },
            disputed,
            inputs: object("inputs"),
            files: files.collect(),
            root: root.to_owned(),
        }
    }

    /// Whether its topic or kind is left out.
    pub(crate) fn is_left_out(&self) -> bool {
        LEFT_OUT.iter().any(|filter| filter.covers(self))
    }

    /// Whether the verifier has to accept.
    pub(crate) fn is_to_be_accepted(&self) -> bool {
        self.wanted == Wanted::Accept
    }

    /// Whether the case names a file (or directory) in this role.
    pub(crate) fn has_file(&self, role: &str) -> bool {
        self.files.contains_key(role)
    }

    /// Where the file or directory in this role is.
    pub(crate) fn path(&self, role: &str) -> PathBuf {
        self.root.join(&self.files[role])
    }

    /// The same case about another layout.
    pub(crate) fn in_layout(&self, layout: &Path) -> Self {
        let mut case = self.clone();
        case.files
            .insert("layout".to_owned(), layout.display().to_string());
        case
    }

    /// The bytes of the file in this role.
    pub(crate) fn bytes(&self, role: &str) -> Vec<u8> {
        self.bytes_at(&self.files[role])
    }

    /// The bytes of a file that `inputs` names by its path.
    pub(crate) fn bytes_at(&self, relative: &str) -> Vec<u8> {
        let path = self.root.join(relative);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// An input, `null` when absent.
    pub(crate) fn input(&self, name: &str) -> &Value {
        self.inputs.get(name).unwrap_or(&Value::Null)
    }

    /// A text among the inputs, empty when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.input(name).as_str().unwrap_or_default()
    }

    /// Whether the envelope that the case is about is COSE: as its input says, or as a signature manifest of its
    /// layout does.
    pub(crate) fn holds_cose(&self) -> bool {
        let in_layout = |layout: PathBuf| {
            let blobs = std::fs::read_dir(layout.join("blobs/sha256"))
                .into_iter()
                .flatten();
            let manifests = blobs
                .flatten()
                .filter_map(|blob| serde_json::from_slice::<Value>(&std::fs::read(blob.path()).ok()?).ok());
            manifests
                .into_iter()
                .any(|manifest| manifest["layers"][0]["mediaType"] == COSE)
        };
        self.text("envelope_media_type") == COSE
            || (self.has_file("layout") && in_layout(self.path("layout")))
    }

    /// What the case is about, but for what no rule looks at, where it is about one trust policy document: two cases
    /// that agree in it ask the same question.
    fn question(&self) -> Option<Value> {
        let only_a_policy = self.files.len() == 1 && self.inputs.is_empty() && self.has_file("policy");
        let mut document: Value = only_a_policy
            .then(|| serde_json::from_slice(&self.bytes("policy")).ok())
            .flatten()?;
        for policy in document["trustPolicies"].as_array_mut()? {
            let policy = policy.as_object_mut()?;
            policy.remove("name");
            policy.retain(|_, value| *value != Value::Array(Vec::new()));
        }
        Some(json!([self.kind, document]))
    }

    /// A time among the inputs.
    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        self.input(name)
            .as_str()
            .map(|text| text.parse().expect("a time"))
    }
}

/// What the verifier said about a case.
#[derive(Debug)]
pub(crate) struct Judged {
    accepted: bool,
    why: String,
    details: Map<String, Value>,
}

impl Judged {
    /// The verifier accepted.
    pub(crate) fn accept() -> Self {
        Self {
            accepted: true,
            why: String::new(),
            details: Map::new(),
        }
    }

    /// The verifier refused, and why.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over errors that they are done with"
    )]
    pub(crate) fn reject(why: impl ToString) -> Self {
        Self {
            accepted: false,
            why: why.to_string(),
            details: Map::new(),
        }
    }

    /// Accepts what is `Ok`, refuses what is `Err`.
    pub(crate) fn of<T>(result: Result<T, impl ToString>) -> Self {
        result.map_or_else(Self::reject, |_| Self::accept())
    }

    /// Adds a detail; every member of the case's `expected_detail` has to be among the details, and equal.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// Runs every case that is not left out; prints one line per failing case and the counts per kind.
pub(crate) fn run() {
    let root = directory();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in load(&root) {
        let count = counts.entry(case.kind.clone()).or_default();
        if case.is_left_out() {
            count.left_out += 1;
        } else {
            match check(&case) {
                Ok(Passed::AsWanted) => count.passed += 1,
                Ok(Passed::Closed) => count.closed += 1,
                Err(difference) => {
                    count.failed += 1;
                    failures.push(format!(
                        "{} ({}, {}): {difference}",
                        case.name, case.kind, case.reason
                    ));
                }
            }
        }
    }
    report(&counts, &failures);
    assert!(failures.is_empty(), "{} cases failed", failures.len());
}

/// Where the vectors are.
pub(crate) fn directory() -> PathBuf {
    std::env::var_os("COUNTERSIGN_VECTORS").map_or_else(bundled, PathBuf::from)
}

/// The vectors of this repository.
pub(crate) fn bundled() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/notary")
}

/// The cases of a directory.
pub(crate) fn load(root: &Path) -> Vec<Case> {
    let index = root.join("vectors.json");
    let text = std::fs::read(&index).unwrap_or_else(|error| panic!("{}: {error}", index.display()));
    let index: Value = serde_json::from_slice(&text).expect("vectors.json is JSON");
    let cases = index["cases"].as_array().expect("vectors.json has cases");
    let mut cases: Vec<Case> = cases.iter().map(|case| Case::read(root, case)).collect();
    let disputed: Vec<(Value, Wanted)> = cases
        .iter()
        .filter(|case| case.disputed)
        .filter_map(|case| Some((case.question()?, case.wanted)))
        .collect();
    for case in cases.iter_mut().filter(|case| !case.disputed) {
        // A dispute is about a question, not about the file that asks it.
        let question = case.question();
        let same = disputed
            .iter()
            .find(|(asked, _)| Some(asked) == question.as_ref());
        if let Some((_, wanted)) = same {
            case.wanted = *wanted;
            case.disputed = true;
        }
    }
    cases
}

/// Judges one case; the error says how the judgement differs from what the case wants.
fn check(case: &Case) -> Result<Passed, String> {
    let judged = catch_unwind(AssertUnwindSafe(|| JUDGES.iter().find_map(|judge| judge(case))))
        .map_err(|panic| match panic.downcast::<String>() {
            Ok(why) => format!("panicked: {why}"),
            Err(_) => "panicked".to_owned(),
        })?
        .ok_or("nobody judges this kind")?;
    match (case.wanted, judged.accepted) {
        (Wanted::Accept, false) if case.holds_cose() && judged.why.contains(COSE_REFUSED) => {
            return Ok(Passed::Closed);
        }
        (Wanted::Accept, false) => return Err(format!("wanted accept, got reject: {}", judged.why)),
        (Wanted::Reject, true) => return Err("wanted reject, got accept".to_owned()),
        (Wanted::Either, _) => return Ok(Passed::AsWanted),
        _ => {}
    }
    let wanted = case
        .detail
        .iter()
        .filter(|(name, _)| !INFORMATIVE.contains(&name.as_str()));
    for (name, wanted) in wanted {
        match judged.details.get(name) {
            Some(found) if found == wanted => {}
            Some(found) => return Err(format!("{name}: wanted {wanted}, got {found}")),
            None => return Err(format!("{name}: wanted {wanted}, got nothing ({})", judged.why)),
        }
    }
    Ok(Passed::AsWanted)
}

/// How a case passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    AsWanted,
    /// Rejected by name though the case wants it accepted.
    Closed,
}

#[derive(Debug, Default)]
struct Count {
    passed: usize,
    /// Refused by name, though wanted.
    closed: usize,
    failed: usize,
    left_out: usize,
}

/// Writes to the terminal itself, which the test harness does not capture.
fn report(counts: &BTreeMap<String, Count>, failures: &[String]) {
    let mut out = std::io::stderr().lock();
    let mut line = |text: &str| writeln!(out, "{text}").expect("standard error takes a line");
    for failure in failures {
        line(&format!("FAIL {failure}"));
    }
    line(&format!(
        "{:<26}{:>7}{:>9}{:>7}{:>9}",
        "kind", "passed", "refused", "failed", "left out"
    ));
    let row = |kind: &str, count: &Count| {
        let Count {
            passed,
            closed,
            failed,
            left_out,
        } = count;
        format!("{kind:<26}{passed:>7}{closed:>9}{failed:>7}{left_out:>9}")
    };
    let mut total = Count::default();
    for (kind, count) in counts {
        line(&row(kind, count));
        total.passed += count.passed;
        total.closed += count.closed;
        total.failed += count.failed;
        total.left_out += count.left_out;
    }
    line(&row("total", &total));
}
