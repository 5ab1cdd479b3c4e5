//! What hosts have in common when they speak of a build: each fact by a claim of the verified token or a member of the
//! service's record, or by a variable.

use std::fmt::Write as _;

use super::Environment;
use crate::base::foreign::Foreign;
use crate::domain::provenance::{
    Account, BuildFacts, Contradiction, Parameter, Parameters, Runner, Source, Voucher, Witness,
};

/// One fact: which claim says it, which variable, and where it stands in the predicate; the tables of
/// `docs/buildtypes/` are made from these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The claim, where the token has one; on a host with records the member of the record.
    pub claim: Option<&'static str>,
    /// The variable, where the environment has one.
    pub variable: Option<&'static str>,
    /// The members of the predicate that are made from it.
    pub members: &'static str,
    /// Whether claim and variable are spelt alike, so that they can be compared.
    alike: bool,
}

impl Fact {
    /// A claim, and a variable of the same value.
    pub(super) const fn both(claim: &'static str, variable: &'static str, members: &'static str) -> Self {
        Self {
            claim: Some(claim),
            variable: Some(variable),
            members,
            alike: true,
        }
    }

    /// A claim, and a variable that says the same in another form.
    pub(super) const fn other(claim: &'static str, variable: &'static str, members: &'static str) -> Self {
        Self {
            alike: false,
            ..Self::both(claim, variable, members)
        }
    }

    /// What only the token says.
    pub(super) const fn claimed(claim: &'static str, members: &'static str) -> Self {
        Self {
            claim: Some(claim),
            variable: None,
            members,
            alike: false,
        }
    }

    /// What only the environment says.
    pub(super) const fn variable(variable: &'static str, members: &'static str) -> Self {
        Self {
            claim: None,
            variable: Some(variable),
            members,
            alike: false,
        }
    }

    fn name(&self) -> Option<&'static str> {
        self.claim.or(self.variable)
    }
}

/// What can be asked about a build.
pub(super) struct Said<'a> {
    pub(super) facts: &'static [Fact],
    pub(super) environment: &'a Environment,
    /// Who speaks beside the environment.
    pub(super) witness: Option<Witness<'a>>,
}

impl Said<'_> {
    /// A fact by the name of its claim, or of its variable where it has no claim.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let fact = self.facts.iter().find(|fact| fact.name() == Some(name))?;
        match (self.witness, fact.claim) {
            (Some(witness), Some(claim)) => witness.text(claim),
            _ => self.environment.get(fact.variable?).map(str::to_owned),
        }
    }

    /// A fact as a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<Parameter> {
        self.text(name).map(Parameter::Text)
    }

    /// Whose machine it is, by `runner_environment`.
    pub(super) fn runner(&self) -> Runner {
        match self.text("runner_environment").as_deref() {
            Some("github-hosted" | "gitlab-hosted") => Runner::Hosted,
            Some(_) => Runner::SelfHosted,
            None => Runner::Unknown,
        }
    }

    /// Where a variable holds another address than the claims make: what does not fit.
    pub(super) fn other_address(
        &self,
        claim: &'static str,
        variable: &'static str,
        expected: &str,
    ) -> Option<Contradiction> {
        self.witness?;
        let found = url(self.environment.get(variable)?)?;
        (found != expected).then(|| Contradiction {
            variable,
            claim,
            expected: Foreign::new(expected),
            found: Foreign::new(found),
        })
    }

    /// Puts the account together.
    pub(super) fn account(
        &self,
        facts: BuildFacts,
        more: impl IntoIterator<Item = Contradiction>,
    ) -> Account {
        let claimed = |fact: &Fact| self.witness.is_some() && fact.claim.is_some();
        let said = |fact: &&Fact| fact.name().is_some_and(|name| self.text(name).is_some());
        let (claims, variables): (Vec<&Fact>, Vec<&Fact>) =
            self.facts.iter().filter(said).partition(|fact| claimed(fact));
        let same = self.facts.iter().filter_map(|fact| self.contradiction(fact));
        Account {
            facts,
            voucher: self.witness.map_or(Voucher::Environment, Voucher::from),
            because: None,
            wanted: None,
            claims: claims.iter().filter_map(|fact| fact.claim).collect(),
            variables: variables.iter().filter_map(|fact| fact.variable).collect(),
            contradictions: more.into_iter().chain(same).collect(),
            runner: self.runner(),
            reusable: false,
        }
    }

    fn contradiction(&self, fact: &Fact) -> Option<Contradiction> {
        let (claim, variable) = (fact.claim?, fact.variable.filter(|_| fact.alike)?);
        let (expected, found) = (self.witness?.text(claim)?, self.environment.get(variable)?);
        (expected != found).then(|| Contradiction {
            variable,
            claim,
            expected: Foreign::new(expected),
            found: Foreign::new(found),
        })
    }
}

/// A text with what may not stand in a URI written as `%XX` (RFC 3986, 2.1).
pub(super) fn uri(text: &str) -> String {
    text.bytes().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
        uri
    })
}

/// Parameters, without those that the host does not set.
pub(super) fn map<const N: usize>(parameters: [(&str, Option<Parameter>); N]) -> Parameters {
    let set = parameters
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    set.collect()
}

/// What would vouch for a build where the host has nothing that does.
pub(super) const TYPED: &str =
    "a host that vouches for its builds, or builder-id and source by whoever answers for them";

/// A repository at a commit, whose name has to be a full one.
pub(super) fn committed(repository: &str, commit: &str) -> Option<Source> {
    let source = format!("{repository}@{commit}").parse::<Source>().ok()?;
    source.commit().is_some().then_some(source)
}

/// The address of a Git repository without user and password; `user@host:path` is SSH (git-clone, "Git URLs").
pub(super) fn repository(text: &str) -> Option<String> {
    if text.contains("://") {
        return url(text);
    }
    let (_, rest) = text.split_once('@')?;
    let (host, path) = rest.split_once(':')?;
    url(&format!("ssh://{host}/{}", path.trim_start_matches('/')))
}

/// An address without user and password, which have no place in a document that anyone can read. What has no host (an
/// ARN, say) has no place for them either; with an `@` it is no address but perhaps `user:password@host`.
pub(super) fn url(text: &str) -> Option<String> {
    let mut url = url::Url::parse(text).ok()?;
    if url.host().is_some() {
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
    } else if text.contains('@') {
        return None;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(url("https://github.com").as_deref(), Some("https://github.com"));
        assert_eq!(
            url("https://gitlab-ci-token:glcbt-64_x@git.example/g/p.git").as_deref(),
            Some("https://git.example/g/p.git")
        );
        assert_eq!(
            url("arn:aws:s3:::bucket/key").as_deref(),
            Some("arn:aws:s3:::bucket/key")
        );
        assert_eq!(
            (url("no address"), url("user:password@git.example/g")),
            (None, None)
        );
    }

    #[test]
    fn a_repository_may_be_written_as_ssh_has_it() {
        let of = |text: &str| repository(text);
        assert_eq!(
            of("git@h.example:g/p.git").as_deref(),
            Some("ssh://h.example/g/p.git")
        );
        assert_eq!(of("u:p@h.example:/g/p").as_deref(), Some("ssh://h.example/g/p"));
        assert_eq!(
            of("https://u:p@h.example/g").as_deref(),
            Some("https://h.example/g")
        );
        assert_eq!(
            (of("/srv/p.git"), of("git@h.example"), of("")),
            (None, None, None)
        );
    }

    #[test]
    fn a_uri_holds_what_a_uri_may_hold() {
        assert_eq!(
            uri("https://h/a b@refs/heads/ü"),
            "https://h/a%20b@refs/heads/%C3%BC"
        );
        assert_eq!(uri("https://h/r@v1"), "https://h/r@v1");
    }
}
