//! A signature of AWS Signer, judged as a stranger would: revoked is no, and silence is never yes.

use countersign::domain::trust::{
    Applicable, DerivedTrust, Evidence, Outcome, Reason, RegistryScope, Requirements, examine,
};

use super::*;

/// What a world may do to a signature between signing and judging.
type Change = fn(&Stage, &RevocationQuestion);

async fn judged(change: Change) -> Outcome {
    let stage = Stage::new();
    let room = stage.room();
    let signer = room
        .signing_profile(&PROFILE.parse().unwrap(), stage.roots())
        .await
        .unwrap();
    let scopes: [RegistryScope; 1] = ["127.0.0.1:1/web".parse().unwrap()];
    let trust = DerivedTrust::aws_under(&scopes, signer.profile(), &stage.roots()).unwrap();
    let Ok(Applicable::Judge(policy)) = trust.document().applicable("127.0.0.1:1/web") else {
        panic!("the derived policy does not apply");
    };
    let subject = subject();
    let payload = Payload::new(&subject, &BTreeMap::new()).unwrap();
    let signature = signer.sign(&payload).await.unwrap();
    let evidence = Evidence {
        manifest: subject.digest().clone(),
        envelope: signature.envelope,
    };
    let requirements = Requirements::default();
    let now = Clock::System.now();
    let pending = examine(&evidence, &subject, policy, trust.store(), &requirements, now);
    let question = pending
        .questions()
        .first()
        .expect("AWS Signer is to be asked")
        .clone();
    change(&stage, &question);
    let answer = room.revocation().answer(&question).await;
    let outcome = pending.conclude(&BTreeMap::from([(0, answer)]));
    stage.close();
    outcome
}

fn rejected(outcome: Outcome) -> (Reason, Class) {
    match outcome {
        Outcome::Rejected(rejected) => (rejected.reason(), rejected.class()),
        Outcome::Accepted(accepted) => panic!("{accepted:?}"),
    }
}

#[tokio::test]
async fn a_signature_that_nobody_revoked_is_accepted() {
    assert!(matches!(judged(|_, _| ()).await, Outcome::Accepted(_)));
}

#[tokio::test]
async fn a_revoked_job_profile_or_certificate_is_a_no() {
    let changes: [Change; 3] = [
        |stage, question| {
            let RevocationQuestion::AwsSigner { job, .. } = question;
            stage.aws.cloud().state().revoked_jobs.insert(job.clone());
        },
        |stage, question| {
            let RevocationQuestion::AwsSigner { profile_version, .. } = question;
            let mut state = stage.aws.cloud().state();
            state.revoked_profiles.insert(profile_version.clone(), 0);
        },
        |stage, question| {
            let RevocationQuestion::AwsSigner {
                certificate_hashes, ..
            } = question;
            let leaf = certificate_hashes[0][..96].to_owned();
            stage.aws.cloud().state().revoked_certificates.insert(leaf);
        },
    ];
    for change in changes {
        assert_eq!(rejected(judged(change).await), (Reason::Revoked, Class::Rejected));
    }
}

#[tokio::test]
async fn a_service_that_does_not_tell_is_never_a_yes() {
    let changes: [Change; 4] = [
        |stage, _| {
            stage
                .world
                .fault("signer-data", "GetRevocationStatus", When::Always, Fault::Stall);
        },
        |stage, _| {
            stage.world.fault(
                "signer-data",
                "GetRevocationStatus",
                When::Always,
                Fault::html(200),
            );
        },
        |stage, _| {
            let nothing = Fault::Answer(Response::json(200, &json!({})));
            stage
                .world
                .fault("signer-data", "GetRevocationStatus", When::Always, nothing);
        },
        |stage, _| {
            let action = "signer:GetRevocationStatus".to_owned();
            stage.aws.cloud().state().denied.insert(action);
        },
    ];
    for change in changes {
        let found = rejected(judged(change).await);
        assert_eq!(found, (Reason::RevocationUnknown, Class::Unavailable));
    }
}
