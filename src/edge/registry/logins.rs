//! Logins that need no service: a given user and password, nobody, and one after the other.

use crate::base::secret::Secret;
use crate::domain::oci::RegistryHost;
use crate::seams::{Login, LoginError, Logins};

/// Logs in nowhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

impl Logins for Anonymous {
    async fn login(&self, _: &RegistryHost) -> Result<Login, LoginError> {
        Ok(Login::Anonymous)
    }
}

/// One user and password, for one registry or for every one.
#[derive(Clone, Debug)]
pub struct Static {
    host: Option<RegistryHost>,
    login: Secret<String>,
}

impl Static {
    /// A login for every registry that this answers for.
    pub fn new(user: &str, password: &Secret<String>) -> Self {
        Self {
            host: None,
            login: Secret::new(format!("{user}:{}", password.expose())),
        }
    }

    /// The same for one registry only.
    #[must_use]
    pub fn only_for(mut self, host: RegistryHost) -> Self {
        self.host = Some(host);
        self
    }
}

impl Logins for Static {
    async fn login(&self, host: &RegistryHost) -> Result<Login, LoginError> {
        if self.host.as_ref().is_some_and(|own| own != host) {
            return Ok(Login::Anonymous);
        }
        Ok(Login::Password(self.login.clone()))
    }
}

/// The first of two that knows a login.
#[derive(Clone, Debug)]
pub struct Chain<A, B>(pub A, pub B);

impl<A: Logins, B: Logins> Logins for Chain<A, B> {
    async fn login(&self, host: &RegistryHost) -> Result<Login, LoginError> {
        match self.0.login(host).await? {
            Login::Anonymous => self.1.login(host).await,
            known => Ok(known),
        }
    }

    fn forget(&self, host: &RegistryHost) {
        self.0.forget(host);
        self.1.forget(host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(login: &Login) -> Option<&str> {
        match login {
            Login::Password(secret) | Login::Basic(secret) => Some(secret.expose()),
            Login::Anonymous => None,
        }
    }

    #[tokio::test]
    async fn the_first_who_knows_answers() {
        let one: RegistryHost = "one.example".parse().unwrap();
        let two: RegistryHost = "two.example".parse().unwrap();
        let password = Secret::new("p:w".to_owned());
        let logins = Chain(
            Static::new("a", &password).only_for(one.clone()),
            Static::new("b", &password),
        );
        assert_eq!(text(&logins.login(&one).await.unwrap()), Some("a:p:w"));
        assert_eq!(text(&logins.login(&two).await.unwrap()), Some("b:p:w"));
        assert_eq!(
            text(&Chain(Anonymous, Anonymous).login(&one).await.unwrap()),
            None
        );
    }
}
