//! The job over a real layout and a real key, in one process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::base::failure::Class;
use crate::domain::oci::LayoutPath;
use crate::domain::plan::Step;
use crate::domain::provenance::Account;
use crate::domain::report::{Event, Rule};
use crate::domain::trust::{DerivedTrust, RegistryScope};
use crate::edge::layout::Layout;
use crate::edge::layout::demo_image;
use crate::edge::local_key::LocalKey;
use crate::seams::{NotChecked, Observer, ReadStore as _, Signer as _, SignerIdentity, WriteStore as _};

#[derive(Default)]
struct Recorder(RefCell<Vec<Event>>);

impl Observer for Recorder {
    fn on(&self, event: &Event) {
        self.0.borrow_mut().push(event.clone());
    }
}

/// A demo image, a key, and the time.
struct World {
    dir: TempDir,
    key: LocalKey,
    clock: Clock,
    recorder: Recorder,
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Clock::Fixed("2026-11-23T12:00:00Z".parse().unwrap());
        let key = LocalKey::kept(&dir.path().join("state"), clock).unwrap();
        demo_image::write(&dir.path().join("web")).unwrap();
        Self {
            dir,
            key,
            clock,
            recorder: Recorder::default(),
        }
    }

    fn trust(&self) -> Trust {
        let SignerIdentity::LocalKey(chain) = self.key.identity() else {
            panic!("a local key")
        };
        let derived = DerivedTrust::local(&[RegistryScope::Every], &chain[0], chain.last().unwrap());
        Trust::derived(&derived.unwrap())
    }

    fn target(&self) -> Target {
        let place = Place::Layout(LayoutPath::new(self.dir.path().join("web")));
        let image = crate::domain::oci::ImageRef::new(place, Some("1.0".parse().unwrap()), None);
        Target {
            named: image.to_string(),
            tags: image.tag().cloned().into_iter().collect(),
            image,
            named_at: "argument 1".to_owned(),
        }
    }

    fn job(&self) -> RunJob {
        let account = Account::manual(
            "https://ci.example.com/builder".parse().unwrap(),
            "https://git.example.com/app@0123456789abcdef0123456789abcdef01234567"
                .parse()
                .unwrap(),
        );
        RunJob {
            command: "run",
            targets: vec![self.target()],
            recursive: Recursive::Index,
            require_digest: false,
            resign: false,
            dry_run: false,
            metadata: BTreeMap::new(),
            images: Images::Sign,
            provenance: Provenance::Attach(Box::new(account)),
            minimum_build_level: None,
            predicates: Vec::new(),
            unbound: Unbound::Tell,
            summary: None,
            buildkit: BuildKit::Leave,
            created: None,
            trust: self.trust(),
            repository: None,
            concurrency: Concurrency {
                jobs: 4,
                timeout: Duration::from_mins(1),
                fail_fast: false,
            },
            authority: Vec::new(),
            surroundings: Surroundings::Terminal,
        }
    }

    fn backends<'a>(&'a self, store: &'a Layout) -> Backends<'a, Layout, NotChecked, Recorder> {
        Backends {
            store,
            revocation: &NotChecked,
            observer: &self.recorder,
            clock: self.clock,
        }
    }

    fn run(&self, job: &RunJob) -> RunReport {
        let store = Layout::new();
        block_on(run(job, &self.key, self.backends(&store), &stop_channel().1))
    }

    fn verify(&self, change: impl FnOnce(&mut VerifyJob)) -> RunReport {
        let run = self.job();
        let mut job = VerifyJob {
            targets: run.targets,
            recursive: Recursive::Index,
            require_digest: false,
            metadata: BTreeMap::new(),
            trust: run.trust,
            max_signatures: crate::base::limits::SIGNATURES_JUDGED,
            repository: None,
            concurrency: run.concurrency,
            authority: Vec::new(),
        };
        change(&mut job);
        let store = Layout::new();
        block_on(verify(&job, self.backends(&store), &stop_channel().1))
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

#[test]
fn a_first_run_signs_and_attests_and_a_second_keeps() {
    let world = World::new();
    let first = world.run(&world.job());
    assert_eq!(first.failures, []);
    assert_eq!(first.targets[0].state, TargetState::Signed);
    assert_eq!(first.targets[0].signatures.len(), 1);
    assert_eq!(first.targets[0].attestations.len(), 1);
    let second = world.run(&world.job());
    assert_eq!(second.failures, []);
    assert_eq!(second.targets[0].state, TargetState::Kept);
    assert!(
        second.targets[0].plan.iter().all(|line| line.starts_with("keep")),
        "{:?}",
        second.targets[0].plan
    );
}

#[test]
fn the_attestation_is_never_visible_before_its_signature() {
    let world = World::new();
    world.run(&world.job());
    let steps: Vec<_> = world
        .recorder
        .0
        .borrow()
        .iter()
        .filter_map(|event| match event {
            Event::StepStarted { step, .. } => Some(step.name()),
            _ => None,
        })
        .collect();
    assert_eq!(steps, ["resolve", "observe", "sign", "push", "attest", "verify"]);
}

/// For each target the events in between, and how often it began and ended.
fn spans(events: &[Event], target: usize) -> (usize, usize, bool) {
    let of = |event: &&Event| match event {
        Event::TargetStarted { target: found, .. }
        | Event::StepStarted { target: found, .. }
        | Event::StepDone { target: found, .. }
        | Event::TargetDone { target: found } => *found == target,
        Event::Request { .. } | Event::Retry { .. } => false,
    };
    let own: Vec<_> = events.iter().filter(of).collect();
    let count = |wanted: fn(&Event) -> bool| own.iter().filter(|event| wanted(event)).count();
    let ends_it = matches!(own.last(), Some(Event::TargetDone { .. }));
    (
        count(|event| matches!(event, Event::TargetStarted { .. })),
        count(|event| matches!(event, Event::TargetDone { .. })),
        ends_it,
    )
}

#[test]
fn every_target_that_began_is_said_to_be_done_once_and_last() {
    let world = World::new();
    let missing = Target {
        image: "oci:nowhere:1.0".parse().unwrap(),
        ..world.target()
    };
    let targets = vec![world.target(), missing, world.target()];
    let all = |recursive| RunJob {
        targets: targets.clone(),
        recursive,
        ..world.job()
    };
    for job in [all(Recursive::Platforms), all(Recursive::Index)] {
        world.recorder.0.borrow_mut().clear();
        world.run(&job);
        let events = world.recorder.0.borrow();
        for target in 0..3 {
            assert_eq!(spans(&events, target), (1, 1, true), "{target}: {events:?}");
        }
    }
    world.recorder.0.borrow_mut().clear();
    world.verify(|job| job.targets = targets);
    let events = world.recorder.0.borrow();
    for target in 0..3 {
        assert_eq!(spans(&events, target), (1, 1, true), "{target}: {events:?}");
    }
}

#[test]
fn the_same_image_named_twice_is_signed_once() {
    let world = World::new();
    let job = RunJob {
        targets: vec![world.target(), world.target()],
        ..world.job()
    };
    let report = world.run(&job);
    assert_eq!(report.failures, []);
    let made: std::collections::BTreeSet<_> = report
        .targets
        .iter()
        .flat_map(|target| &target.signatures)
        .map(|signature| signature.digest.clone())
        .collect();
    assert_eq!(made.len(), 1, "one signing serves every place");
}

#[test]
fn an_unsigned_image_is_rejected_and_the_finding_says_so() {
    let world = World::new();
    let report = world.verify(|_| {});
    assert_eq!(report.worst_failure(), Some(Class::Rejected));
    assert_eq!(report.findings[0].rule, Rule::SignatureMissing);
    assert_eq!(report.targets[0].state, TargetState::Rejected);
}

#[test]
fn metadata_that_is_demanded_must_be_signed() {
    let world = World::new();
    let metadata = BTreeMap::from([("build".to_owned(), "17".to_owned())]);
    let report = world.run(&RunJob {
        metadata: metadata.clone(),
        ..world.job()
    });
    assert_eq!(report.failures, []);
    assert_eq!(world.verify(|job| job.metadata = metadata).failures, []);
    let other = BTreeMap::from([("build".to_owned(), "18".to_owned())]);
    assert_eq!(
        world.verify(|job| job.metadata = other).worst_failure(),
        Some(Class::Rejected)
    );
}

#[test]
fn a_signature_without_the_wanted_metadata_does_not_count_as_there() {
    let world = World::new();
    world.run(&world.job());
    let metadata = BTreeMap::from([("build".to_owned(), "17".to_owned())]);
    let report = world.run(&RunJob {
        metadata,
        provenance: Provenance::Off,
        ..world.job()
    });
    assert_eq!(report.failures, []);
    assert_eq!(report.targets[0].state, TargetState::Signed);
}

/// Moves the tag to a platform's manifest as soon as reading back begins.
struct Mover(std::path::PathBuf);

impl Observer for Mover {
    fn on(&self, event: &Event) {
        if !matches!(
            event,
            Event::StepStarted {
                step: Step::Verify,
                ..
            }
        ) {
            return;
        }
        let index = std::fs::read_to_string(self.0.join("index.json")).unwrap();
        let mut index: serde_json::Value = serde_json::from_str(&index).unwrap();
        let entries = index["manifests"].as_array_mut().unwrap();
        let tagged = entries
            .iter_mut()
            .find(|entry| entry["annotations"].to_string().contains("1.0"))
            .unwrap();
        let hex = tagged["digest"].as_str().unwrap()["sha256:".len()..].to_owned();
        let image = std::fs::read_to_string(self.0.join("blobs/sha256").join(hex)).unwrap();
        let image: serde_json::Value = serde_json::from_str(&image).unwrap();
        let mut platform = image["manifests"][0].clone();
        platform["annotations"] = tagged["annotations"].take();
        entries.push(platform);
        std::fs::write(self.0.join("index.json"), index.to_string()).unwrap();
    }
}

#[test]
fn a_tag_that_moves_fails_a_signing_run_and_what_is_public_is_named() {
    let world = World::new();
    let (store, job) = (Layout::new(), world.job());
    let mover = Mover(world.dir.path().join("web"));
    let backends = Backends {
        store: &store,
        revocation: &NotChecked,
        observer: &mover,
        clock: world.clock,
    };
    let report = block_on(run(&job, &world.key, backends, &stop_channel().1));
    assert_eq!(
        report.worst_failure(),
        Some(Class::Rejected),
        "{:?}",
        report.failures
    );
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.rule == Rule::TagMoved),
        "{:?}",
        report.findings
    );
    assert_eq!(report.failures[0].done.len(), 2);
}

#[test]
fn a_tag_is_refused_where_a_digest_is_demanded() {
    let world = World::new();
    let report = world.run(&RunJob {
        require_digest: true,
        ..world.job()
    });
    assert_eq!(report.worst_failure(), Some(Class::Usage));
    assert!(
        report.failures[0].cause.message.contains("expected a digest"),
        "{:?}",
        report.failures
    );
}

#[test]
fn a_dry_run_plans_and_touches_nothing() {
    let world = World::new();
    let report = world.run(&RunJob {
        dry_run: true,
        ..world.job()
    });
    assert_eq!(report.targets[0].state, TargetState::Planned);
    assert_eq!(report.targets[0].plan.len(), 2);
    assert_eq!(world.verify(|_| {}).findings[0].rule, Rule::SignatureMissing);
}

#[test]
fn a_signal_before_the_start_leaves_every_target_untouched_and_named() {
    let world = World::new();
    let (stopper, stop) = stop_channel();
    stopper.send(Signal::Terminate);
    let store = Layout::new();
    let job = world.job();
    let report = block_on(run(&job, &world.key, world.backends(&store), &stop));
    assert_eq!(report.targets[0].state, TargetState::NotStarted);
    assert_eq!(world.verify(|_| {}).findings[0].rule, Rule::SignatureMissing);
}

/// The rules that a verification finds so many seconds after a key signed for so many.
fn found_after(life: u32, passed: u32) -> (usize, Vec<Rule>) {
    let mut world = World::new();
    world.key = LocalKey::kept(&world.dir.path().join("state"), world.clock)
        .unwrap()
        .with_expiry(life);
    assert_eq!(world.run(&world.job()).failures, []);
    world.clock = Clock::Fixed(world.clock.now().plus(passed.into()));
    let report = world.verify(|_| {});
    let rules = report.findings.iter().map(|finding| finding.rule);
    (report.failures.len(), rules.collect())
}

#[test]
fn a_signature_near_its_end_is_told_within_thirty_days_or_a_tenth_of_its_life() {
    const HOUR: u32 = 60 * 60;
    const DAY: u32 = 24 * HOUR;
    let (none, soon) = ((0, Vec::new()), (0, vec![Rule::SignatureExpiring; 2]));
    // Of the image's signature and of the attestation's, both good for so long.
    for (life, passed, expected) in [
        (DAY, 0, &none),
        (10 * HOUR, 9 * HOUR, &none),
        (10 * HOUR, 9 * HOUR + 1, &soon),
        (400 * DAY, 370 * DAY, &none),
        (400 * DAY, 370 * DAY + 1, &soon),
        (400 * DAY, 400 * DAY - 1, &soon),
    ] {
        assert_eq!(found_after(life, passed), *expected, "{passed} of {life}");
    }
}

#[test]
fn a_signature_that_is_good_for_longer_stands_for_one_near_its_end() {
    const DAY: u32 = 24 * 60 * 60;
    let mut world = World::new();
    let state = world.dir.path().join("state");
    world.key = LocalKey::kept(&state, world.clock)
        .unwrap()
        .with_expiry(100 * DAY);
    let bare = |world: &World| RunJob {
        provenance: Provenance::Off,
        resign: true,
        ..world.job()
    };
    assert_eq!(world.run(&bare(&world)).failures, []);
    world.clock = Clock::Fixed(world.clock.now().plus((95 * DAY).into()));
    let rules = |report: &RunReport| {
        report
            .findings
            .iter()
            .map(|finding| finding.rule)
            .collect::<Vec<_>>()
    };
    assert_eq!(rules(&world.verify(|_| {})), [Rule::SignatureExpiring]);
    world.key = LocalKey::kept(&state, world.clock)
        .unwrap()
        .with_expiry(100 * DAY);
    assert_eq!(world.run(&bare(&world)).failures, []);
    assert!(!rules(&world.verify(|_| {})).contains(&Rule::SignatureExpiring));
}

#[test]
fn a_platform_is_judged_on_its_own_signature() {
    let world = World::new();
    let job = RunJob {
        recursive: Recursive::Platforms,
        ..world.job()
    };
    let report = world.run(&job);
    assert_eq!(report.failures, []);
    assert_eq!(report.targets.len(), 3);
    assert!(
        report.targets[1..]
            .iter()
            .all(|target| target.attestations.is_empty())
    );
    assert_eq!(
        world.verify(|job| job.recursive = Recursive::Platforms).failures,
        []
    );
}

/// Hangs signatures on the image that are worth nothing: every fifth claims our certificates and this very image, the
/// others are somebody else's word about something else.
fn litter(world: &World, count: usize) {
    use crate::domain::notary::Payload;
    use crate::domain::notary::testing::{payload, sign, x509_header};
    use crate::domain::oci::{Blob, ImageManifest, Manifest, MediaType};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let (store, stranger) = (Layout::new(), crate::domain::x509::testing::chain());
    let SignerIdentity::LocalKey(chain) = world.key.identity() else {
        panic!("a local key")
    };
    let ours: Vec<String> = chain
        .iter()
        .map(|certificate| STANDARD.encode(certificate.der()))
        .collect();
    block_on(async {
        let image = store.resolve(&world.target().image).await.unwrap().subject;
        let about_image = Payload::new(&image, &BTreeMap::new()).unwrap();
        for number in 0..count {
            let mut header = x509_header();
            header["number"] = number.into();
            let mut jws = sign(&stranger, &header.to_string(), payload().bytes());
            if number % 5 == 0 {
                jws = sign(&stranger, &header.to_string(), about_image.bytes());
                jws["header"]["x5c"] = ours.clone().into();
            }
            let envelope = Blob::new(MediaType::JWS, jws.to_string().into_bytes());
            let manifest = Manifest::write(ImageManifest {
                artifact_type: None,
                config: Some(crate::domain::oci::Descriptor {
                    media_type: MediaType::NOTARY_SIGNATURE,
                    ..Blob::empty().descriptor().clone()
                }),
                layers: vec![envelope.descriptor().clone()],
                subject: Some(image.descriptor().clone()),
                annotations: BTreeMap::new(),
            });
            for blob in [&envelope, &Blob::empty()] {
                store.upload(image.place(), blob).await.unwrap();
            }
            store.push_referrer(image.place(), &manifest).await.unwrap();
        }
    });
}

#[test]
fn junk_beside_the_image_hides_no_good_signature_and_costs_no_more_than_the_limit() {
    let world = World::new();
    litter(&world, 150);
    let run = world.run(&RunJob {
        provenance: Provenance::Off,
        ..world.job()
    });
    assert_eq!(run.failures, []);
    let report = world.verify(|_| {});
    assert_eq!(report.failures, []);
    let verdicts = |word| {
        let signatures = report.targets[0].signatures.iter();
        signatures.filter(|signature| signature.verdict == word).count()
    };
    assert_eq!(
        (verdicts("accepted"), verdicts("rejected"), verdicts("unknown")),
        (1, 99, 51)
    );
}

#[test]
fn the_limit_is_kept_to_and_what_was_not_judged_is_never_taken_for_good() {
    let world = World::new();
    litter(&world, 6);
    world.run(&RunJob {
        provenance: Provenance::Off,
        ..world.job()
    });
    let with = |limit| world.verify(|job| job.max_signatures = limit);
    assert_eq!(with(0).worst_failure(), Some(Class::Unavailable));
    assert_eq!(with(0).targets[0].state, TargetState::Failed);
    assert_eq!(with(1).failures, []);
    assert_eq!(with(7).failures, []);
}

#[test]
fn an_explanation_ends_as_the_verification_does() {
    let world = World::new();
    let explained = || {
        let job = ExplainJob {
            target: world.target(),
            trust: world.trust(),
            metadata: BTreeMap::new(),
            repository: None,
            timeout: Duration::from_mins(1),
        };
        block_on(explain(&job, world.backends(&Layout::new()), &stop_channel().1)).unwrap()
    };
    let before = explained();
    assert_eq!(before.conclusion().rule, Some(Rule::SignatureMissing));
    assert_eq!(before.conclusion().class, world.verify(|_| {}).worst_failure());
    world.run(&world.job());
    let after = explained();
    assert_eq!(after.conclusion().class, None);
    assert!(
        after.text().contains("authenticity (enforce) passed"),
        "{}",
        after.text()
    );
    litter(&world, 2);
    assert_eq!(explained().conclusion(), after.conclusion());
}

#[test]
fn an_explanation_knows_attestations_and_demanded_pairs_as_the_verification_does() {
    let world = World::new();
    world.run(&world.job());
    let explained = |metadata: &[(&str, &str)]| {
        let pairs = metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let job = ExplainJob {
            target: world.target(),
            trust: world.trust(),
            metadata: pairs.collect(),
            repository: None,
            timeout: Duration::from_mins(1),
        };
        block_on(explain(&job, world.backends(&Layout::new()), &stop_channel().1)).unwrap()
    };
    let text = explained(&[]).text();
    assert!(
        text.contains("says it is a \"https://slsa.dev/provenance/v1\""),
        "{text}"
    );
    let demanding = explained(&[("build", "7")]);
    let verified = world.verify(|job| job.metadata = BTreeMap::from([("build".to_owned(), "7".to_owned())]));
    assert_eq!(demanding.conclusion().class, verified.worst_failure());
    assert_eq!(demanding.conclusion().class, Some(Class::Rejected));
    assert_eq!(demanding.conclusion().rule, Some(Rule::SignatureMetadataMismatch));
}

#[test]
fn no_policy_for_an_image_is_explained_not_an_error() {
    let world = World::new();
    let trust = Trust {
        policy: crate::domain::trust::TrustPolicyDocument::parse(
            br#"{"version": "1.0", "trustPolicies": [{"name": "other", "registryScopes": ["registry.example.com/other"],
                "signatureVerification": {"level": "skip"}}]}"#,
        )
        .unwrap(),
        ..world.trust()
    };
    let explained = |repository: Option<&str>| {
        let job = ExplainJob {
            target: world.target(),
            trust: trust.clone(),
            metadata: BTreeMap::new(),
            repository: repository.map(|text| {
                match text.parse::<crate::domain::oci::ImageRef>().unwrap().place() {
                    Place::Repository(repository) => repository.clone(),
                    Place::Layout(_) => panic!("a repository"),
                }
            }),
            timeout: Duration::from_mins(1),
        };
        let explanation = block_on(explain(&job, world.backends(&Layout::new()), &stop_channel().1)).unwrap();
        explanation.conclusion().class
    };
    assert_eq!(explained(None), Some(Class::Usage));
    assert_eq!(explained(Some("registry.example.com/other")), None);
}

/// A policy over every image, in which the demo's root is trusted under the local store's name.
fn given(world: &World, level: &str, identity: &str) -> Trust {
    let SignerIdentity::LocalKey(chain) = world.key.identity() else {
        panic!("a local key")
    };
    let derived = DerivedTrust::local(&[RegistryScope::Every], &chain[0], chain.last().unwrap()).unwrap();
    let (stores, identities) = if level == "skip" {
        ("[]".to_owned(), "[]".to_owned())
    } else {
        let names: Vec<String> = derived
            .document()
            .stores()
            .iter()
            .map(ToString::to_string)
            .collect();
        (format!("{names:?}"), format!("[{identity:?}]"))
    };
    let text = format!(
        r#"{{"version": "1.0", "trustPolicies": [{{"name": "given", "registryScopes": ["registry.example.com/web"],
            "signatureVerification": {{"level": "{level}"}}, "trustStores": {stores},
            "trustedIdentities": {identities}}}]}}"#
    );
    let policy = crate::domain::trust::TrustPolicyDocument::parse(text.as_bytes()).unwrap();
    let digest = crate::domain::oci::Digest::of(text.as_bytes());
    let given = GivenPolicy {
        name: crate::base::foreign::Foreign::new("given.json"),
        digest,
        policy,
    };
    Trust::given(given, derived.store().clone(), Some(&derived))
}

const NOBODY: &str = "x509.subject: C=US, ST=WA, O=Nobody";

/// The repository that the given policies speak for.
fn scoped() -> Repository {
    "registry.example.com/web".parse().unwrap()
}

#[test]
fn what_a_policy_only_logs_is_told_beside_verified() {
    let world = World::new();
    world.run(&world.job());
    let report = world.verify(|job| {
        job.trust = given(&world, "audit", NOBODY);
        job.repository = Some(scoped());
    });
    assert_eq!(report.failures, []);
    let told: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    assert!(
        told.contains(&Rule::SignatureUntrustedIdentity),
        "{:?}",
        report.findings
    );
}

#[test]
fn a_signature_that_the_policy_refuses_is_never_stored() {
    let world = World::new();
    let job = RunJob {
        trust: given(&world, "strict", NOBODY),
        repository: Some(scoped()),
        ..world.job()
    };
    let report = world.run(&job);
    assert_eq!(
        report.worst_failure(),
        Some(Class::Rejected),
        "{:?}",
        report.failures
    );
    assert!(
        report.failures[0]
            .cause
            .message
            .contains("the policy that it is held against refuses it")
    );
    assert_eq!(world.verify(|_| {}).findings[0].rule, Rule::SignatureMissing);
    assert_eq!(
        report.checked, None,
        "nothing was accepted, so nothing is called checked"
    );
}

#[test]
fn a_run_under_a_policy_that_skips_is_a_mistake() {
    let world = World::new();
    let job = RunJob {
        trust: given(&world, "skip", NOBODY),
        repository: Some(scoped()),
        ..world.job()
    };
    let report = world.run(&job);
    assert_eq!(
        report.worst_failure(),
        Some(Class::Usage),
        "{:?}",
        report.failures
    );
    assert_eq!(world.verify(|_| {}).findings[0].rule, Rule::SignatureMissing);
}

#[test]
fn a_signature_that_cannot_be_read_is_no_refusal() {
    let world = World::new();
    let signed = world.run(&RunJob {
        provenance: Provenance::Off,
        ..world.job()
    });
    let blobs = world.dir.path().join("web/blobs/sha256");
    let manifest = std::fs::read(blobs.join(signed.targets[0].signatures[0].digest.hex())).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let envelope = manifest["layers"][0]["digest"].as_str().unwrap()["sha256:".len()..].to_owned();
    std::fs::remove_file(blobs.join(envelope)).unwrap();
    let report = world.verify(|_| {});
    assert_eq!(
        report.worst_failure(),
        Some(Class::Missing),
        "{:?}",
        report.failures
    );
    assert_eq!(report.targets[0].state, TargetState::Failed);
}

#[test]
fn a_dry_run_is_never_called_checked() {
    let world = World::new();
    let report = world.run(&RunJob {
        dry_run: true,
        ..world.job()
    });
    assert_eq!(report.checked, None);
}

#[test]
fn a_policy_that_asks_no_more_than_the_signer_s_own_stays_a_self_check() {
    let world = World::new();
    world.run(&world.job());
    let SignerIdentity::LocalKey(chain) = world.key.identity() else {
        panic!("a local key")
    };
    let own = format!("x509.subject: {}", chain[0].subject());
    let report = world.verify(|job| {
        job.trust = given(&world, "strict", &own);
        job.repository = Some(scoped());
    });
    assert_eq!(report.checked, Some(crate::domain::report::Checked::SelfChecked));
}

#[test]
fn only_a_referrer_that_our_signer_signed_may_be_deleted() {
    let world = World::new();
    world.run(&world.job());
    let (store, target) = (Layout::new(), world.target());
    let place = target.image.place().clone();
    let trust = world.trust();
    let metadata = BTreeMap::new();
    let judge = super::judge::Judge {
        store: &store,
        revocation: &NotChecked,
        trust: Some(&trust),
        metadata: &metadata,
        clock: world.clock,
        limit: crate::base::limits::SIGNATURES_JUDGED,
    };
    let image = block_on(crate::seams::ReadStore::resolve(&store, &target.image)).unwrap();
    let observed = block_on(judge.observe(&image.subject, "*")).unwrap();
    let signer = world.key.identity();
    let prove =
        |manifest: &_, signer: &_, by| crate::seams::OwnReferrer::prove(place.clone(), manifest, signer, by);

    let on_image = observed.signatures[0].accepted().unwrap();
    assert_eq!(
        prove(&image.manifest, signer, on_image),
        None,
        "an image is nobody's referrer"
    );

    let found = &observed.attestations[0];
    let attestation = crate::seams::ReadStore::manifest(&store, &place, &found.descriptor);
    let attestation = block_on(attestation).unwrap();
    let by = found.outcome.accepted().unwrap().signature();
    assert!(prove(&attestation, signer, by).is_some());
    assert_eq!(
        prove(&attestation, signer, on_image),
        None,
        "a signature over something else"
    );
    let stranger = World::new();
    assert_eq!(
        prove(&attestation, stranger.key.identity(), by),
        None,
        "somebody else's"
    );
}

/// Puts an index of the demo image's first platform beside it, with this annotation, under a tag.
fn second_index(world: &World, tag: &str) -> Target {
    let layout = world.dir.path().join("web");
    let read = |path: std::path::PathBuf| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let mut listed = read(layout.join("index.json"));
    let blob = |digest: &str| {
        layout
            .join("blobs/sha256")
            .join(digest.trim_start_matches("sha256:"))
    };
    let first = listed["manifests"][0].clone();
    let mut index = read(blob(first["digest"].as_str().unwrap()));
    index["manifests"].as_array_mut().unwrap().truncate(1);
    index["annotations"] = serde_json::json!({ "of": tag });
    let bytes = index.to_string().into_bytes();
    let digest = crate::domain::oci::Digest::of(&bytes);
    std::fs::write(blob(&digest.to_string()), &bytes).unwrap();
    let entry = serde_json::json!({"mediaType": first["mediaType"], "digest": digest, "size": bytes.len(),
        "annotations": {"org.opencontainers.image.ref.name": tag}});
    listed["manifests"].as_array_mut().unwrap().push(entry);
    std::fs::write(layout.join("index.json"), listed.to_string()).unwrap();
    let place = Place::Layout(LayoutPath::new(&layout));
    let image = crate::domain::oci::ImageRef::new(place, Some(tag.parse().unwrap()), None);
    Target {
        named: image.to_string(),
        tags: image.tag().cloned().into_iter().collect(),
        image,
        named_at: "argument 2".to_owned(),
    }
}

/// A job that attaches a document to each platform of these images, and signs none of them.
fn attesting(world: &World, targets: Vec<Target>, document: &str) -> RunJob {
    let choice = "https://example.com/review/v1=review.json".parse().unwrap();
    let predicate = crate::domain::provenance::Predicate::read(choice, document.as_bytes()).unwrap();
    RunJob {
        command: "attest",
        targets,
        recursive: Recursive::Platforms,
        images: Images::Leave,
        provenance: Provenance::Off,
        predicates: vec![predicate],
        ..world.job()
    }
}

/// The accepted attestations of every target, with the target's digest.
fn attested(report: &RunReport) -> std::collections::BTreeSet<(String, String)> {
    let of = |target: &TargetReport| {
        let image = target.digest.as_ref().unwrap().to_string();
        let all = target.attestations.iter();
        all.map(|one| (image.clone(), one.digest.to_string()))
            .collect::<Vec<_>>()
    };
    report.targets.iter().flat_map(of).collect()
}

#[test]
fn two_targets_that_share_a_platform_leave_each_other_what_they_attached() {
    let world = World::new();
    let both = vec![world.target(), second_index(&world, "2.0")];
    let job = attesting(&world, both.clone(), r#"{"by":"a"}"#);
    let first = world.run(&job);
    assert_eq!(first.failures, []);
    // The platform that both hold has the Statement about each index.
    let second = world.run(&job);
    assert_eq!(second.failures, []);
    let plans = second.targets.iter().flat_map(|target| &target.plan);
    assert!(
        plans.clone().all(|line| line.starts_with("keep")),
        "{:?}",
        second.targets
    );
    let third = world.run(&job);
    assert_eq!(attested(&second), attested(&third));
    assert_eq!(attested(&third).len(), 2 + 1 + 2);
    let told = third.findings.iter();
    assert!(told.clone().any(|one| one.rule == Rule::AttestationDuplicate));

    // Other words: nobody can say whose older ones they replace where both want some.
    let other = world.run(&attesting(&world, both, r#"{"by":"b"}"#));
    assert_eq!(other.failures, []);
    let (before, after) = (attested(&third), attested(&other));
    let platform = before
        .iter()
        .find(|(image, _)| before.iter().filter(|one| one.0 == *image).count() == 2);
    let platform = &platform.unwrap().0;
    let gone: Vec<_> = before.difference(&after).collect();
    assert_eq!(
        gone.len(),
        3,
        "the two indexes' own, and the platform's that one of them holds"
    );
    assert!(gone.iter().all(|(image, _)| image != platform));
}

#[test]
fn an_attestation_from_elsewhere_is_taken_only_where_it_says_what_is_wanted() {
    let world = World::new();
    let elsewhere = second_index(&world, "2.0");
    let job = |targets| RunJob {
        repository: Some(scoped()),
        ..attesting(&world, targets, r#"{"by":"a"}"#)
    };
    assert_eq!(world.run(&job(vec![elsewhere.clone()])).failures, []);
    // Another place, where nothing is attached, holds the same platform in another index.
    demo_image::write(&world.dir.path().join("other")).unwrap();
    let place = Place::Layout(LayoutPath::new(world.dir.path().join("other")));
    let image = crate::domain::oci::ImageRef::new(place, Some("1.0".parse().unwrap()), None);
    let target = Target {
        named: image.to_string(),
        image,
        ..world.target()
    };
    let both = job(vec![elsewhere, target]);
    assert_eq!(world.run(&both).failures, []);
    let again = world.run(&both);
    assert_eq!(again.failures, []);
    for target in &again.targets {
        let is_kept = target.plan.iter().all(|line| line.starts_with("keep"));
        assert!(
            is_kept && target.attestations.len() == 1,
            "{}: {:?}",
            target.image,
            target.plan
        );
    }
}
