//! What the attestation says: its claims, and when it was made.

use super::claimed::Fallback;
use super::services::Services;
use super::{Scene, recorded};
use crate::base::failure::{Cause, Class};
use crate::base::time::Timestamp;
use crate::cli::{CliError, Origins, ProvenanceWish, RunSettings};
use crate::domain::provenance::Account;
use crate::edge::ci::Host;
use crate::job::{Promise, Provenance};

/// Whether an issuer may have to be asked, or a service that keeps records of builds.
pub(super) fn wanted(wish: &ProvenanceWish, scene: &Scene<'_>) -> bool {
    let by_host = ProvenanceWish::Auto {
        builder: None,
        source: None,
    };
    *wish == by_host && scene.host.vouches(scene.environment)
}

/// What the provenance says: what was typed, else what the host's verified token or record says, else its environment.
pub(super) fn provenance(
    settings: &RunSettings,
    origins: &Origins,
    services: &Services,
    scene: &Scene<'_>,
) -> Result<Provenance, Cause> {
    match &settings.provenance {
        ProvenanceWish::Off => Ok(Provenance::Off),
        ProvenanceWish::Auto {
            builder: Some(builder),
            source: Some(source),
        } => {
            let account = Account::manual(builder.clone(), source.clone());
            Ok(Provenance::Attach(Box::new(account)))
        }
        ProvenanceWish::Auto {
            builder: None,
            source: None,
        } => by_host(settings, origins, services, scene),
        ProvenanceWish::Auto { builder, source } => {
            Err(missing(builder.is_none(), source.is_none(), origins, scene))
        }
    }
}

/// What the host says: its token if it has one, whose claims are checked while the run begins, or its record, which is
/// asked for meanwhile.
fn by_host(
    settings: &RunSettings,
    origins: &Origins,
    services: &Services,
    scene: &Scene<'_>,
) -> Result<Provenance, Cause> {
    let fallback = Fallback {
        host: scene.host,
        environment: scene.environment.clone(),
        missing: missing(true, true, origins, scene),
    };
    if let Some(build) = scene.host.recorded_build(scene.environment) {
        let build = build.to_owned();
        return match services.builds() {
            None => fallback.attach("no AWS region is known"),
            Some(records) => Ok(Provenance::Awaited(Promise::new(recorded::account(
                records, build, fallback,
            )))),
        };
    }
    let claimed = services.claimed.as_ref();
    let named = settings.asked.services.aws.token_issuer.clone();
    if let (Some(claimed), Some(issuer)) = (claimed, &named) {
        let origin = url::Url::parse(issuer.origin()).ok();
        if let Some(host) = origin.as_ref().and_then(url::Url::host_str) {
            claimed.addresses.name(host);
        }
    }
    let issuer = named.or_else(|| scene.host.issuer(scene.environment));
    match (claimed.cloned(), issuer) {
        _ if !scene.host.has_tokens() => fallback.attach(scene.host.silence()),
        (None, _) => fallback.attach("the job has no identity token"),
        (Some(_), None) => {
            let name = origins.spell("token-issuer");
            fallback.attach(&format!(
                "the issuer of this server's tokens is not known; {name} names it"
            ))
        }
        (Some(claimed), Some(issuer)) => Ok(Provenance::Awaited(Promise::new(async move {
            claimed.account(&issuer, fallback).await
        }))),
    }
}

fn missing(builder: bool, source: bool, origins: &Origins, scene: &Scene<'_>) -> Cause {
    let all = [("builder-id", builder), ("source", source)];
    let spelled = |wanted: bool| {
        let these = all.iter().filter(move |(_, is_missing)| *is_missing == wanted);
        these.map(|(name, _)| origins.spell(name)).collect::<Vec<_>>()
    };
    Cause::of(&CliError::Missing {
        argument: spelled(true).join(" and "),
        why: reason(spelled(false).first(), origins, scene),
    })
}

/// Why these are wanted: half of the pair says nothing, and not every host says enough.
fn reason(given: Option<&String>, origins: &Origins, scene: &Scene<'_>) -> String {
    let known = scene.host.account(scene.environment, None).is_some();
    let off = format!("give {} off", origins.spell("provenance"));
    match (given, known, scene.host) {
        (Some(given), true, _) => {
            format!(
                "since {given} replaces what this host says of the build only together with it; or give neither"
            )
        }
        (Some(given), false, _) => {
            format!("since provenance needs it beside {given}; or {off}")
        }
        (None, _, Host::Terminal) => {
            format!("for provenance outside a known CI host; or {off}")
        }
        (None, ..) => {
            format!("for provenance, since this host's variables do not say enough of the build; or {off}")
        }
    }
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org), seconds since 1970; else when the commit was made, by the host's word.
pub(super) fn created(scene: &Scene<'_>) -> Result<Option<Timestamp>, Cause> {
    let text = scene.environment.get("SOURCE_DATE_EPOCH");
    let seconds = text.map(|text| text.parse::<u32>().map_err(|_| text)).transpose();
    let seconds = seconds.map_err(|text| Cause {
        class: Class::Usage,
        message: format!(
            "expected SOURCE_DATE_EPOCH to be seconds since 1970, found {}",
            crate::base::foreign::quote(text)
        ),
        hint: None,
    })?;
    let given = seconds.map(|seconds| Timestamp::from_unix(i64::from(seconds)));
    Ok(given.or_else(|| scene.host.commit_time(scene.environment)))
}
