//! What AWS Signer says was revoked, and when it says nothing.

use super::*;

pub(super) struct Asked {
    pub(super) stage: Stage,
    pub(super) room: Room,
    pub(super) question: RevocationQuestion,
}

pub(super) async fn asked() -> Asked {
    let stage = Stage::new();
    let room = stage.room();
    let signer = room
        .signing_profile(&PROFILE.parse().unwrap(), stage.roots())
        .await
        .unwrap();
    let payload = payload(&[]);
    let signature = signer.sign(&payload).await.unwrap();
    let sealed = SealedEnvelope::seal(signature.envelope, &payload, &signer.expected()).unwrap();
    let question = question(&sealed);
    Asked {
        stage,
        room,
        question,
    }
}

impl Asked {
    pub(super) fn parts(&self) -> (&str, &str, Timestamp, &[String]) {
        let RevocationQuestion::AwsSigner {
            profile_version,
            job,
            signed_at,
            certificate_hashes,
        } = &self.question;
        (profile_version, job, *signed_at, certificate_hashes)
    }

    async fn revoked(&self) -> Vec<String> {
        match self.room.revocation().answer(&self.question).await {
            RevocationAnswer::Revoked(entities) => {
                entities.iter().map(|entity| entity.raw().to_owned()).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    async fn unknown(&self) -> String {
        match self.room.revocation().answer(&self.question).await {
            RevocationAnswer::Unknown(reason) => reason,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn jobs_profiles_and_certificates_can_be_revoked() {
    let asked = asked().await;
    let (version, job, at, hashes) = asked.parts();
    let cloud = asked.stage.aws.cloud();
    cloud
        .state()
        .revoked_profiles
        .insert(version.to_owned(), at.unix() + 1);
    let answer = asked.room.revocation().answer(&asked.question).await;
    assert_eq!(answer, RevocationAnswer::Good, "revoked from a later time on");
    cloud
        .state()
        .revoked_profiles
        .insert(version.to_owned(), at.unix());
    assert_eq!(asked.revoked().await, [version]);
    cloud.state().revoked_jobs.insert(job.to_owned());
    assert_eq!(asked.revoked().await, [job, version]);
    cloud.state().revoked_jobs.clear();
    cloud.state().revoked_profiles.clear();
    cloud
        .state()
        .revoked_certificates
        .insert(hashes[1][..96].to_owned());
    assert_eq!(asked.revoked().await, [hashes[1].clone()]);
    asked.stage.close();
}

#[tokio::test]
async fn a_question_is_asked_once_a_run() {
    let asked = asked().await;
    let revocation = asked.room.revocation();
    let answers = futures_util::future::join_all((0..5).map(|_| revocation.answer(&asked.question))).await;
    assert!(answers.iter().all(|answer| *answer == RevocationAnswer::Good));
    assert_eq!(asked.stage.count("signer-data", "GetRevocationStatus"), 1);
    asked.stage.close();
}

/// An answer that carries what every answer of AWS does.
fn identified(body: &serde_json::Value) -> Fault {
    let answer = Response::json(200, body).with("x-amzn-requestid", "5808635f-05de-4207-a891-c95f827b50f4");
    Fault::Answer(answer)
}

#[tokio::test]
async fn a_list_that_is_left_out_is_an_empty_one_in_the_services_own_answer_alone() {
    for body in [
        json!({}),
        json!({ "revokedEntities": null }),
        json!({ "revokedEntities": [], "new": 1 }),
    ] {
        let asked = asked().await;
        let service = ("signer-data", "GetRevocationStatus");
        asked
            .stage
            .world
            .fault(service.0, service.1, When::Always, identified(&body));
        let answer = asked.room.revocation().answer(&asked.question).await;
        assert_eq!(answer, RevocationAnswer::Good, "{body}");
        asked.stage.close();
    }
}

#[tokio::test]
async fn a_revocation_service_that_does_not_answer_well_says_nothing() {
    for (fault, message, calls) in [
        (Fault::Stall, "no answer in time", 4),
        (Fault::Reset, "no answer", 4),
        (Fault::status(500), "status 500", 4),
        (Fault::html(200), "status 200 with \"text/html", 1),
        (
            Fault::Answer(Response::new(200)),
            "the answer has a good status and no body",
            4,
        ),
        (
            Fault::Answer(Response::json(200, &json!({}))),
            "the answer holds no revokedEntities and no request id",
            1,
        ),
        (
            Fault::Answer(Response::json(200, &json!({ "revokedEntities": null }))),
            "the answer holds no revokedEntities and no request id",
            1,
        ),
        (
            identified(&json!({ "message": "all is well" })),
            "the answer is not about revocations",
            1,
        ),
        (
            Fault::edit(|answer| {
                let twice = r#"{"revokedEntities":["arn:x"],"revokedEntities":[]}"#;
                *answer = answer.clone().body(twice);
            }),
            "the answer is not about revocations",
            1,
        ),
        (
            Fault::Answer(Response::json(200, &json!([]))),
            "status 200 with \"application/json\"",
            1,
        ),
        (Fault::TruncateAfter(8), "no answer", 4),
        (Fault::huge("application/json", 400 << 20), "larger than 2 MiB", 1),
    ] {
        let asked = asked().await;
        asked
            .stage
            .world
            .fault("signer-data", "GetRevocationStatus", When::Always, fault);
        let reason = asked.unknown().await;
        assert!(reason.contains(message), "{reason}");
        assert_eq!(
            asked.stage.count("signer-data", "GetRevocationStatus"),
            calls,
            "{message}"
        );
        asked.stage.close();
    }
}

#[tokio::test]
async fn a_revocation_that_may_not_be_asked_says_what_is_missing() {
    let asked = asked().await;
    asked
        .stage
        .aws
        .cloud()
        .state()
        .denied
        .insert("signer:GetRevocationStatus".to_owned());
    let reason = asked.unknown().await;
    assert!(
        reason.contains("the role needs signer:GetRevocationStatus on"),
        "{reason}"
    );
    asked.stage.close();
}

#[tokio::test]
async fn a_signature_of_another_partition_is_not_asked_about() {
    let mut asked = asked().await;
    let RevocationQuestion::AwsSigner { profile_version, .. } = &mut asked.question;
    *profile_version =
        "arn:aws-us-gov:signer:us-gov-west-1:111122223333:/signing-profiles/release/OF8IVUsPJq".to_owned();
    assert_eq!(
        asked.unknown().await,
        "the signature is of the partition aws-us-gov, the credentials are of aws, and revocations are told only within a partition"
    );
    let RevocationQuestion::AwsSigner { profile_version, .. } = &mut asked.question;
    *profile_version = "x".to_owned();
    assert_eq!(
        asked.unknown().await,
        "the signature names no signing profile version, but \"x\""
    );
    assert_eq!(asked.stage.count("signer-data", "GetRevocationStatus"), 0);
    asked.stage.close();
}
