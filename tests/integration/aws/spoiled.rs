//! Answers with a byte changed or cut off.

use super::revocation::asked;
use super::*;

/// Changes one byte, or cuts, at a place that depends on `round`.
fn spoil(bytes: &mut Vec<u8>, round: usize) {
    let at = round * 7 % bytes.len();
    if round.is_multiple_of(5) {
        bytes.truncate(at);
    } else {
        bytes[at] ^= 1 << (round % 8);
    }
}

fn spoiled(round: usize) -> Fault {
    Fault::edit(move |response| {
        let mut bytes = response.bytes().to_vec();
        spoil(&mut bytes, round);
        response.body = Body::Bytes(bytes);
    })
}

#[tokio::test]
async fn a_spoiled_answer_never_turns_revoked_into_good() {
    let asked = asked().await;
    let (_, job, _, _) = asked.parts();
    asked
        .stage
        .aws
        .cloud()
        .state()
        .revoked_jobs
        .insert(job.to_owned());
    for round in 0..400 {
        asked.stage.world.no_more_faults();
        asked
            .stage
            .world
            .fault("signer-data", "GetRevocationStatus", When::Always, spoiled(round));
        let answer = asked.room.revocation().answer(&asked.question).await;
        assert_ne!(answer, RevocationAnswer::Good, "{round}");
    }
    asked.stage.close();
}

#[tokio::test]
async fn a_spoiled_signature_is_never_sealed() {
    let stage = Stage::new();
    let settings = Settings {
        pace: Pace {
            per_second: 1_000.0,
            burst: 1_000.0,
        },
        ..stage.settings()
    };
    let room = Room::new(settings).unwrap();
    let signer = room
        .signing_profile(&PROFILE.parse().unwrap(), stage.roots())
        .await
        .unwrap();
    let payload = payload(&[]);
    let mut sealed = 0;
    for round in 0..200 {
        stage.world.no_more_faults();
        // The envelope stands at the end, behind job and metadata, whose bytes nobody signed.
        let fault = Fault::edit(move |response| {
            let mut bytes = response.bytes().to_vec();
            let from = bytes
                .windows(12)
                .position(|window| window == b"\"signature\":")
                .unwrap()
                + 13;
            let mut envelope = bytes.split_off(from);
            spoil(&mut envelope, round);
            bytes.extend(envelope);
            response.body = Body::Bytes(bytes);
        });
        stage.world.fault("signer", "SignPayload", When::Always, fault);
        if let Ok(signature) = signer.sign(&payload).await {
            sealed +=
                usize::from(SealedEnvelope::seal(signature.envelope, &payload, &signer.expected()).is_ok());
        }
    }
    assert_eq!(sealed, 0);
    stage.close();
}

#[tokio::test]
async fn spoiled_answers_to_logins_and_roles_do_no_harm() {
    for round in 0..40 {
        let stage = Stage::new();
        stage
            .world
            .fault("sts", "AssumeRoleWithWebIdentity", When::Always, spoiled(round));
        if let Err(error) = stage.room().caller().await {
            told(&error);
        }
        stage.world.no_more_faults();
        stage
            .world
            .fault("ecr", "GetAuthorizationToken", When::Always, spoiled(round));
        if let Err(error) = stage.room().logins().login(&REGISTRIES[0].parse().unwrap()).await {
            assert!(!format!("{error:?}").contains("eyJ"));
        }
        stage.close();
    }
}
