//! Who may do what: Basic, and Bearer with a token service.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::json;

use super::super::http::{Request, Response};
use super::{Auth, Grant, Password, Registry};

impl Registry {
    pub(super) fn challenge(&self, repository: Option<&str>, actions: &str, error: Option<&str>) -> String {
        let own = format!("{}/token", self.base());
        match self.quirks.auth {
            Auth::Open => String::new(),
            Auth::Basic => format!("Basic realm=\"{}/\",service=\"registry.example\"", self.base()),
            Auth::Bearer => {
                let realm = self.quirks.realm.as_deref().unwrap_or(&own);
                let mut text = format!("Bearer realm=\"{realm}\",service=\"registry.example\"");
                if let Some(repository) = repository {
                    let _ = write!(text, ",scope=\"repository:{repository}:{actions}\"");
                }
                if let Some(error) = error {
                    let _ = write!(text, ",error=\"{error}\"");
                }
                text
            }
        }
    }

    pub(super) fn unauthorized(
        &self,
        repository: Option<&str>,
        actions: &str,
        error: Option<&str>,
    ) -> Response {
        Response::registry_error(401, "UNAUTHORIZED", "authentication required")
            .with("www-authenticate", &self.challenge(repository, actions, error))
    }

    /// Whether the request may be answered; otherwise the answer it gets.
    pub(super) fn authorize(&self, request: &Request, repository: Option<&str>) -> Option<Response> {
        let needed = match request.method {
            Method::GET | Method::HEAD => "pull",
            Method::DELETE => "delete",
            _ => "push",
        };
        let actions = match needed {
            "pull" => "pull",
            "delete" => "delete",
            _ => "pull,push",
        };
        if self.quirks.auth == Auth::Open
            || (self.quirks.anonymous_pull && needed == "pull" && repository.is_some())
        {
            return None;
        }
        let header = request.header("authorization");
        let state = self.state.lock().unwrap();
        if self.quirks.auth == Auth::Basic {
            return match basic(header).and_then(|login| state.logins.get(&login).copied()) {
                Some(Password::Good) => None,
                Some(Password::Expired) => Some(Response::registry_error(
                    403,
                    "DENIED",
                    "Your authorization token has expired. Reauthenticate and try again.",
                )),
                None => Some(self.unauthorized(repository, actions, None)),
            };
        }
        let Some(token) = header.strip_prefix("Bearer ") else {
            return Some(self.unauthorized(repository, actions, None));
        };
        match state.tokens.get(token) {
            Some(grant) if grant.until > Instant::now() => {
                let wanted = repository.map(|repository| format!("repository:{repository}:"));
                let held = wanted.is_none_or(|wanted| {
                    let mut held = grant
                        .scopes
                        .iter()
                        .filter_map(|scope| scope.strip_prefix(&wanted));
                    held.any(|actions| actions.split(',').any(|action| action == needed || action == "*"))
                });
                (!held).then(|| self.unauthorized(repository, actions, Some("insufficient_scope")))
            }
            _ => Some(self.unauthorized(repository, actions, Some("invalid_token"))),
        }
    }

    pub(super) fn token(&self, request: &Request) -> Response {
        let header = request.header("authorization");
        let mut state = self.state.lock().unwrap();
        let known = match basic(header) {
            Some(login) if state.logins.get(&login) == Some(&Password::Good) => true,
            Some(_) => {
                return Response::registry_error(401, "UNAUTHORIZED", "incorrect username or password");
            }
            None => false,
        };
        let asked = request.parameters("scope");
        let reads = self.quirks.anonymous_pull;
        let granted = |scope: &str| match scope.rsplit_once(':') {
            Some((resource, _)) if !known => reads.then(|| format!("{resource}:pull")),
            _ => Some(scope.to_owned()),
        };
        let scopes = asked
            .iter()
            .flat_map(|scopes| scopes.split(' '))
            .filter_map(granted)
            .collect();
        let token = format!("token-{}-canary", state.next());
        let until = Instant::now() + Duration::from_secs(self.quirks.token_seconds.unwrap_or(60));
        state.tokens.insert(token.clone(), Grant { scopes, until });
        let mut answer = json!({ "token": token });
        if let Some(seconds) = self.quirks.token_seconds {
            answer["expires_in"] = json!(seconds);
        }
        Response::json(200, &answer)
    }
}

/// `user:password` of a Basic header.
fn basic(header: &str) -> Option<String> {
    use base64::Engine as _;
    let decoded = base64::prelude::BASE64_STANDARD
        .decode(header.strip_prefix("Basic ")?)
        .ok()?;
    String::from_utf8(decoded).ok()
}
