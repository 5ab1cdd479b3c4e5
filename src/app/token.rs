//! The job's identity token: asked for once, for the role and for the claims alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::OnceCell;

use super::Scene;
use super::identity::Wire;
use super::watch::Counter;
use crate::base::failure::Cause;
use crate::base::secret::Secret;
use crate::cli::AwsSettings;
use crate::edge::aws::credentials::{Base, IdToken};
use crate::edge::aws::regions::{Partition, Region};
use crate::edge::ci::{Host, IdTokenSource};
use crate::seams::Event;

type Held = Result<Secret<String>, Cause>;

/// Where a job's token comes from, and the first one that came.
#[derive(Clone)]
pub(super) struct JobToken {
    source: IdTokenSource,
    audience: String,
    client: reqwest::Client,
    counter: Counter,
    first: Arc<OnceCell<Held>>,
    exchanged: Arc<AtomicBool>,
}

impl JobToken {
    /// Finds where the job's token comes from; none where there is none, which is an error only where a role is to be
    /// assumed with it.
    pub(super) fn find(
        settings: &AwsSettings,
        region: Option<&Region>,
        wire: &Wire<'_>,
        scene: &Scene<'_>,
    ) -> Result<Option<Self>, Cause> {
        let found = IdTokenSource::find(scene.host, scene.environment, settings.id_token.as_deref());
        let source = match (found, settings.roles.as_slice()) {
            (Err(_), []) => None,
            (found, _) => found.map_err(|error| Cause::of(&error))?,
        };
        let Some(source) = source else { return Ok(None) };
        if let Some(host) = source.asks() {
            wire.addresses.name(host);
        }
        let exchanged = !settings.roles.is_empty();
        Ok(Some(Self {
            audience: audience(settings, region, exchanged, scene),
            source,
            client: wire.client.clone(),
            counter: wire.counter.clone(),
            first: Arc::default(),
            exchanged: Arc::default(),
        }))
    }

    /// To whom the token is addressed.
    pub(super) fn audience(&self) -> &str {
        &self.audience
    }

    /// The run's first token, whoever asks for it first.
    pub(super) async fn first(&self) -> Held {
        self.first.get_or_init(|| self.fetch()).await.clone()
    }

    /// A token for one exchange: the first one, then a new one each time, since they live for minutes.
    async fn fresh(&self) -> Held {
        if self.exchanged.swap(true, Ordering::SeqCst) {
            self.fetch().await
        } else {
            self.first().await
        }
    }

    async fn fetch(&self) -> Held {
        let told = || {
            self.counter.count(&Event::Request {
                service: "oidc",
                operation: "token",
            });
        };
        let token = self.source.fetch(&self.client, &self.audience, told).await;
        token.map_err(|error| Cause::of(&error))
    }

    /// The token as the first credentials.
    pub(super) fn base(&self) -> Base {
        let token = self.clone();
        Base::Token(IdToken::new(move || {
            let token = token.clone();
            async move { token.fresh().await }
        }))
    }
}

/// STS takes tokens that are addressed to it; a token that is only read for its claims is addressed to us, so that it
/// opens nothing if it leaks (GitHub, "OIDC reference": the audience is the caller's choice).
fn audience(settings: &AwsSettings, region: Option<&Region>, exchanged: bool, scene: &Scene<'_>) -> String {
    let china = region.is_some_and(|region| region.partition() == Partition::China);
    let usual = match (scene.host, exchanged) {
        (Host::GitHub, false) => "countersign",
        _ if china => "sts.amazonaws.com.cn",
        _ => "sts.amazonaws.com",
    };
    settings.audience.clone().unwrap_or_else(|| usual.to_owned())
}
