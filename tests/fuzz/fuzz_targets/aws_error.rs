//! Bad answers of AWS: whatever status and body come, what the SDK and we make of them has a kind and stays one line.
//! The first two bytes are the status, from 100 on.
#![no_main]

use std::sync::{Arc, Mutex, OnceLock};

use aws_sdk_signer::Client;
use aws_sdk_signer::config::retry::RetryConfig;
use aws_sdk_signer::config::timeout::TimeoutConfig;
use aws_sdk_signer::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use countersign::edge::aws::answer::ServiceError;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

fuzz_target!(|input: (u16, &[u8])| {
    let (status, body) = (100 + input.0 % 500, input.1);
    let (runtime, client, answer) = world();
    *answer.0.lock().unwrap() = (status, body.to_vec());
    let asked = client.get_signing_profile().profile_name("release").send();
    if let Err(error) = runtime.block_on(asked) {
        let error = ServiceError::of("AWS Signer", "GetSigningProfile", &error);
        let _ = (error.problem.kind(), error.problem.code());
        assert!(!error.to_string().contains('\n') && !error.problem.to_string().contains('\n'));
    }
});

/// A connection that gives one answer.
#[derive(Clone, Debug, Default)]
struct Answer(Arc<Mutex<(u16, Vec<u8>)>>);

impl HttpConnector for Answer {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = self.0.lock().unwrap().clone();
        let status = StatusCode::try_from(status).expect("between 100 and 599");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body.into())))
    }
}

/// One client for all inputs, which speaks to nobody.
fn world() -> &'static (Runtime, Client, Answer) {
    static WORLD: OnceLock<(Runtime, Client, Answer)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let answer = Answer::default();
        let connector = SharedHttpConnector::new(answer.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "key", None, None, "fuzz"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        (runtime.expect("a runtime"), Client::from_conf(config), answer)
    })
}
