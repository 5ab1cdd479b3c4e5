//! Logging in: Basic and Bearer, one token per repository and access, fetched once however many requests wait for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use tokio::time::Instant;
use url::Url;

use super::answer::{Answer, Trouble};
use super::challenge::{Challenge, challenges};
use super::http::{Ask, Line};
use crate::base::failure::{Class, Classified as _};
use crate::base::foreign::quote;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::secret::Secret;
use crate::domain::oci::{RegistryHost, Repository};
use crate::seams::{Login, LoginError, Logins, StoreProblem};

/// Largest answer of a token service, in bytes (ours; real ones are under 8 KiB).
const TOKEN_BYTES: usize = 262_144;

/// How long a token lives that does not say so (distribution, `spec/auth/token.md`, "Token Response Fields").
const TOKEN_LIFE: Duration = Duration::from_mins(1);

/// How long before its end a token is no longer used.
const TOKEN_LEEWAY: Duration = Duration::from_secs(10);

/// What a request needs to be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Access {
    /// Read.
    Pull,
    /// Write.
    Push,
    /// Delete.
    Delete,
}

impl Access {
    /// The actions of a token's scope (distribution, `spec/auth/scope.md`).
    fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,push,delete",
        }
    }
}

/// How a registry wants to be logged in to.
#[derive(Clone, Debug)]
enum Scheme {
    /// Not at all, as far as we know.
    Open,
    /// User and password with every request.
    Basic,
    /// A token from its token service.
    Bearer(Realm),
}

/// The token service of a registry.
#[derive(Clone, Debug)]
struct Realm {
    url: Url,
    service: Option<String>,
}

/// What is known about one registry.
#[derive(Default)]
struct Host {
    scheme: RefCell<Option<Scheme>>,
    /// Held by the one request that finds out the scheme while others wait.
    probe: Arc<tokio::sync::Mutex<()>>,
    login: tokio::sync::Mutex<Option<Login>>,
    tokens: RefCell<HashMap<(String, Access), Rc<SlotLock>>>,
}

/// One slot, locked while its token is fetched.
type SlotLock = tokio::sync::Mutex<Slot>;

/// The token of one repository and access.
#[derive(Default)]
struct Slot {
    token: Option<Token>,
    /// The scope that the registry itself asked for, which may name the repository in another way than we do.
    scope: Option<String>,
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    until: Instant,
}

/// The right to send one request: its login, and the duty to report back while others wait.
pub(super) struct Permit {
    /// The `Authorization` header.
    pub(super) header: Option<HeaderValue>,
    probe: Option<tokio::sync::OwnedMutexGuard<()>>,
}

/// What follows from a registry not taking the login it got.
pub(super) enum Next {
    /// Another login is worth trying.
    Again,
    /// It is final.
    Refused(Trouble),
}

/// Every registry's login.
pub(super) struct Auth<L> {
    logins: L,
    hosts: RefCell<HashMap<RegistryHost, Rc<Host>>>,
}

impl<L: Logins> Auth<L> {
    /// Knows nobody yet.
    pub(super) fn new(logins: L) -> Self {
        Self {
            logins,
            hosts: RefCell::default(),
        }
    }

    fn host(&self, host: &RegistryHost) -> Rc<Host> {
        let mut hosts = self.hosts.borrow_mut();
        Rc::clone(hosts.entry(host.clone()).or_default())
    }

    /// The login for a request, found out with a request of its own where a token is due.
    pub(super) async fn permit(
        &self,
        line: &Line,
        repository: &Repository,
        access: Access,
    ) -> Result<Permit, Trouble> {
        let host = self.host(repository.host());
        if host.scheme.borrow().is_none() {
            let probe = Arc::clone(&host.probe).lock_owned().await;
            if host.scheme.borrow().is_none() {
                if !matches!(self.login(repository.host(), &host).await?, Login::Basic(_)) {
                    return Ok(Permit {
                        header: None,
                        probe: Some(probe),
                    });
                }
                *host.scheme.borrow_mut() = Some(Scheme::Basic);
            }
        }
        let scheme = host.scheme.borrow().clone();
        let header = match scheme {
            None | Some(Scheme::Open) => None,
            Some(Scheme::Basic) => self.basic(repository.host(), &host).await?,
            Some(Scheme::Bearer(realm)) => Some(self.bearer(line, &host, &realm, repository, access).await?),
        };
        Ok(Permit { header, probe: None })
    }

    /// Learns from the answer to an unasked request to the registry's base how it wants to be logged in to.
    pub(super) async fn learn(&self, line: &Line, registry: &RegistryHost, base: &Url, answer: &Answer) {
        let host = self.host(registry);
        let scheme = match answer.status {
            401 => adopt(line, base, answer).await.ok(),
            200 => Some(Scheme::Open),
            _ => None,
        };
        let mut known = host.scheme.borrow_mut();
        *known = known.take().or(scheme);
    }

    /// Takes note of an answer that did not ask for another login.
    pub(super) fn answered(&self, repository: &Repository, permit: &Permit) {
        if permit.probe.is_some() {
            let host = self.host(repository.host());
            host.scheme.borrow_mut().get_or_insert(Scheme::Open);
        }
    }

    /// Takes note of an answer that asks for another login than the request had.
    pub(super) async fn asked(
        &self,
        line: &Line,
        ask: (&Url, &Repository, Access),
        permit: Permit,
        answer: &Answer,
    ) -> Result<Next, Trouble> {
        let (url, repository, access) = ask;
        let host = self.host(repository.host());
        let Some(used) = permit.header else {
            *host.scheme.borrow_mut() = Some(adopt(line, url, answer).await?);
            self.note_scope(&host, repository, access, answer).await;
            return Ok(Next::Again);
        };
        let scheme = host.scheme.borrow().clone();
        if let Some(Scheme::Bearer(_)) = scheme {
            self.note_scope(&host, repository, access, answer).await;
            let slots: Vec<_> = host.tokens.borrow().values().cloned().collect();
            for slot in slots {
                let mut slot = slot.lock().await;
                if slot.token.as_ref().is_some_and(|token| token.header == used) {
                    slot.token = None;
                }
            }
            return Ok(Next::Again);
        }
        // The registry may have changed from Basic to Bearer by path; its word counts.
        if let Ok(Scheme::Bearer(realm)) = adopt(line, url, answer).await {
            *host.scheme.borrow_mut() = Some(Scheme::Bearer(realm));
            self.note_scope(&host, repository, access, answer).await;
            return Ok(Next::Again);
        }
        let renewed = self.renew(repository.host(), &host, &used).await?;
        Ok(if renewed {
            Next::Again
        } else {
            Next::Refused(no_login(answer, true))
        })
    }

    /// Asks for the login anew if nobody did so yet; says whether it differs from the one that was used.
    async fn renew(&self, name: &RegistryHost, host: &Host, used: &HeaderValue) -> Result<bool, Trouble> {
        let mut login = host.login.lock().await;
        let differs = |login: &Login| secret(login).and_then(basic_header).as_ref() != Some(used);
        if login.as_ref().is_some_and(differs) {
            return Ok(true);
        }
        self.logins.forget(name);
        let fresh = self
            .logins
            .login(name)
            .await
            .map_err(|error| no_credentials(&error))?;
        let renewed = secret(&fresh).is_some() && differs(&fresh);
        *login = Some(fresh);
        Ok(renewed)
    }

    /// Whether nobody knows a login for this registry, as far as was asked.
    pub(super) fn is_stranger(&self, name: &RegistryHost) -> bool {
        let host = self.host(name);
        host.login
            .try_lock()
            .is_ok_and(|login| matches!(*login, Some(Login::Anonymous)))
    }

    async fn login(&self, name: &RegistryHost, host: &Host) -> Result<Login, Trouble> {
        let mut login = host.login.lock().await;
        if let Some(known) = login.as_ref() {
            return Ok(known.clone());
        }
        let found = self
            .logins
            .login(name)
            .await
            .map_err(|error| no_credentials(&error))?;
        *login = Some(found.clone());
        Ok(found)
    }

    async fn basic(&self, name: &RegistryHost, host: &Host) -> Result<Option<HeaderValue>, Trouble> {
        Ok(secret(&self.login(name, host).await?).and_then(basic_header))
    }

    async fn note_scope(&self, host: &Host, repository: &Repository, access: Access, answer: &Answer) {
        let named = bearer_challenge(answer).and_then(|challenge| {
            let scope = challenge.parameter("scope")?;
            (!scope.is_empty() && scope.len() <= 1_024).then(|| scope.to_owned())
        });
        let slot = slot(host, repository, access);
        slot.lock().await.scope = named;
    }

    /// The token of a repository and access: the one at hand, or a new one that only the first asker fetches.
    async fn bearer(
        &self,
        line: &Line,
        host: &Host,
        realm: &Realm,
        repository: &Repository,
        access: Access,
    ) -> Result<HeaderValue, Trouble> {
        if access == Access::Pull
            && let Ok(wider) = slot(host, repository, Access::Push).try_lock()
            && let Some(token) = wider.token.as_ref().filter(|token| token.until > Instant::now())
        {
            return Ok(token.header.clone());
        }
        let slot = slot(host, repository, access);
        let mut slot = slot.lock().await;
        if let Some(token) = slot.token.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.header.clone());
        }
        let own = format!("repository:{}:{}", repository.path(), access.actions());
        let scope = slot.scope.clone().unwrap_or(own);
        let token = self.fetch(line, repository.host(), host, realm, &scope).await?;
        let header = token.header.clone();
        slot.token = Some(token);
        Ok(header)
    }

    async fn fetch(
        &self,
        line: &Line,
        name: &RegistryHost,
        host: &Host,
        realm: &Realm,
        scope: &str,
    ) -> Result<Token, Trouble> {
        let mut url = realm.url.clone();
        url.query_pairs_mut()
            .extend_pairs(realm.service.as_ref().map(|service| ("service", service)))
            .append_pair("scope", scope);
        let ask = Ask::new("GET token", Method::GET, url).limit(TOKEN_BYTES);
        let mut login = self.basic(name, host).await?;
        let mut answer = line.exchange(&ask, login.as_ref()).await?;
        if let Some(used) = login.as_ref().filter(|_| answer.wants_login())
            && self.renew(name, host, used).await?
        {
            login = self.basic(name, host).await?;
            answer = line.exchange(&ask, login.as_ref()).await?;
        }
        match answer.status {
            200 => read_token(&answer),
            401 | 403 => Err(no_login(&answer, login.is_some())),
            _ => Err(Trouble::unavailable(format!(
                "the token service answered {}",
                answer.words()
            ))),
        }
    }
}

fn slot(host: &Host, repository: &Repository, access: Access) -> Rc<SlotLock> {
    let mut tokens = host.tokens.borrow_mut();
    Rc::clone(tokens.entry((repository.path().to_owned(), access)).or_default())
}

fn secret(login: &Login) -> Option<&Secret<String>> {
    match login {
        Login::Password(secret) | Login::Basic(secret) => Some(secret),
        Login::Anonymous => None,
    }
}

/// RFC 7617, 2.
fn basic_header(login: &Secret<String>) -> Option<HeaderValue> {
    let encoded = zeroize::Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(login.expose())));
    let mut header = HeaderValue::from_str(&encoded).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn bearer_challenge(answer: &Answer) -> Option<Challenge> {
    named_challenge(answer, "bearer")
}

fn named_challenge(answer: &Answer, scheme: &str) -> Option<Challenge> {
    let headers = answer.headers.get_all(WWW_AUTHENTICATE).into_iter();
    let texts = headers.filter_map(|header| header.to_str().ok());
    texts
        .flat_map(challenges)
        .find(|challenge| challenge.scheme == scheme)
}

/// How the registry wants to be logged in to, by the challenge of its answer; Bearer before Basic.
async fn adopt(line: &Line, url: &Url, answer: &Answer) -> Result<Scheme, Trouble> {
    let Some(challenge) = bearer_challenge(answer) else {
        return match named_challenge(answer, "basic") {
            Some(_) => Ok(Scheme::Basic),
            None => Err(no_login(answer, false)),
        };
    };
    let realm = challenge.parameter("realm").unwrap_or_default();
    let target = line.target(url, realm, "names as its token service").await;
    let target =
        target.map_err(|trouble| trouble.hint("logins go only to a token service over TLS and in reach"))?;
    // The realm must be a whole address, and over TLS unless the host may go without.
    let whole = Url::parse(realm).is_ok();
    if !whole || (target.scheme() != "https" && !line.may_be_plain(&target)) {
        return Err(Trouble::unavailable(format!(
            "the registry names {} as its token service, expected an https address",
            quote(realm)
        )));
    }
    Ok(Scheme::Bearer(Realm {
        url: target,
        service: challenge.parameter("service").map(str::to_owned),
    }))
}

/// Reads a token (distribution, `spec/auth/token.md`, "Token Response Fields").
fn read_token(answer: &Answer) -> Result<Token, Trouble> {
    let refused = || Trouble::unavailable("the token service answered without a token that can be used");
    if answer.cut {
        return Err(refused());
    }
    let bounds = Bounds {
        bytes: TOKEN_BYTES,
        ..Bounds::ENVELOPE
    };
    let document = json::read(&answer.body, bounds).map_err(|_| refused())?;
    let top = document.cursor().object().map_err(|_| refused())?;
    let text = |name| {
        let member = top.optional(name)?;
        member.string().ok().filter(|text| !text.is_empty())
    };
    let token = text("token")
        .or_else(|| text("access_token"))
        .ok_or_else(refused)?;
    let plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    let encoded = zeroize::Zeroizing::new(format!("Bearer {token}"));
    let mut header = HeaderValue::from_str(&encoded)
        .ok()
        .filter(|_| plain)
        .ok_or_else(refused)?;
    header.set_sensitive(true);
    let life = top
        .optional("expires_in")
        .and_then(|seconds| seconds.unsigned().ok());
    let life = life
        .map_or(TOKEN_LIFE, Duration::from_secs)
        .min(Duration::from_hours(24));
    let usable = life.saturating_sub(TOKEN_LEEWAY).max(life / 2);
    Ok(Token {
        header,
        until: Instant::now() + usable,
    })
}

/// The registry does not take the login, or wants one where there is none.
pub(super) fn no_login(answer: &Answer, had_login: bool) -> Trouble {
    let words = format!("the registry answered {}", answer.words());
    if had_login {
        Trouble::refused(words)
            .hint("the login was not taken; check user and password, and that it may do this")
    } else {
        Trouble::refused(words)
            .hint("the registry wants a login; give registry-username and registry-password-from, or a docker config")
    }
}

/// A login that cannot be had, as trouble of the same class.
fn no_credentials(error: &LoginError) -> Trouble {
    let hint = error.hint();
    let words = error.to_string();
    let problem = match error.class {
        Class::Unavailable => StoreProblem::Unavailable(words),
        Class::Usage => StoreProblem::Usage(words),
        Class::Missing => StoreProblem::Missing(words),
        _ => StoreProblem::Refused(words),
    };
    Trouble { problem, hint }
}
