//! Why a role could not be assumed, told so that somebody can fix it: the token's claims decoded, never the token.
//!
//! Sources: STS API reference, `AssumeRoleWithWebIdentity`, errors; IAM user guide, "OIDC federation"; GitHub documentation,
//! "OIDC reference".

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::{Kind, Problem, ServiceError};
use crate::base::arn::RoleArn;
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::time::Timestamp;
use crate::base::tree::Cursor;

/// The claims of a token that decide whether a role may be assumed with it. Decoded, not checked: STS does that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Who issued it.
    pub issuer: Option<Foreign>,
    /// For whom it speaks.
    pub subject: Option<Foreign>,
    /// To whom it is addressed.
    pub audience: Vec<Foreign>,
    /// From when on nobody accepts it.
    pub expires: Option<Timestamp>,
}

impl Claims {
    /// Reads the middle part of a JSON Web Token (RFC 7519); `None` when it is none.
    ///
    /// ```
    /// use countersign::edge::aws::denial::Claims;
    /// // {"sub":"repo:octo-org/app:ref:refs/heads/main","aud":"sts.amazonaws.com"}
    /// let token = "e30.eyJzdWIiOiJyZXBvOm9jdG8tb3JnL2FwcDpyZWY6cmVmcy9oZWFkcy9tYWluIiwiYXVkIjoic3RzLmFtYXpvbmF3cy5jb20ifQ.x";
    /// let claims = Claims::of_token(token).unwrap();
    /// assert_eq!(claims.subject.unwrap().raw(), "repo:octo-org/app:ref:refs/heads/main");
    /// ```
    pub fn of_token(token: &str) -> Option<Self> {
        let mut parts = token.trim().split('.');
        let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
            return None;
        };
        let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let document = json::read(&bytes, Bounds::SMALL_DOCUMENT).ok()?;
        let object = document.cursor().object().ok()?;
        let text = |name: &str| object.optional(name)?.string().ok().map(Foreign::new);
        let expires = object.optional("exp").and_then(|exp| exp.unsigned().ok());
        Some(Self {
            issuer: text("iss"),
            subject: text("sub"),
            audience: object
                .optional("aud")
                .map(|aud| audiences(&aud))
                .unwrap_or_default(),
            expires: expires
                .and_then(|exp| i64::try_from(exp).ok())
                .map(Timestamp::from_unix),
        })
    }
}

/// One text or a list of them (RFC 7519, 4.1.3).
fn audiences(aud: &Cursor<'_>) -> Vec<Foreign> {
    let one = aud.string().map(|one| vec![Foreign::new(one)]);
    one.unwrap_or_else(|_| {
        let list = aud.array().unwrap_or_default();
        list.iter()
            .filter_map(|each| each.string().ok().map(Foreign::new))
            .take(8)
            .collect()
    })
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sub {}", whole(self.subject.as_ref()))?;
        let audience: Vec<String> = self.audience.iter().map(|aud| whole(Some(aud))).collect();
        let audience = if audience.is_empty() {
            whole(None)
        } else {
            audience.join(", ")
        };
        write!(f, ", aud {audience}, iss {}", whole(self.issuer.as_ref()))
    }
}

/// Quotes all of a claim, in pieces where it is long: what a policy has to match is often at the end.
fn whole(claim: Option<&Foreign>) -> String {
    let Some(claim) = claim else {
        return "absent".to_owned();
    };
    let chars: Vec<char> = claim.raw().chars().take(480).collect();
    let piece = |piece: &[char]| Foreign::new(String::from_iter(piece)).quote().to_string();
    if chars.is_empty() {
        return "\"\"".to_owned();
    }
    chars.chunks(80).map(piece).collect::<Vec<_>>().join(" + ")
}

/// A role that could not be assumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not assume the role {role}{}", with(self.claims.as_ref()))]
pub struct Denial {
    /// The role.
    pub role: String,
    /// What the token says, where a token was used.
    pub claims: Option<Claims>,
    /// The time of the attempt.
    pub at: Timestamp,
    /// What STS said.
    #[source]
    pub error: ServiceError,
}

fn with(claims: Option<&Claims>) -> String {
    claims
        .map(|claims| format!(" with a token of {claims}"))
        .unwrap_or_default()
}

impl Denial {
    /// Tells what STS answered to a token. Words of STS that repeat a part of the token are withheld.
    pub(super) fn of_token(role: &RoleArn, token: &str, at: Timestamp, mut error: ServiceError) -> Self {
        withhold(&mut error, token);
        Self {
            role: role.to_string(),
            claims: Some(Claims::of_token(token).unwrap_or_default()),
            at,
            error,
        }
    }

    fn said(&self, words: &str) -> bool {
        self.error
            .problem
            .message()
            .is_some_and(|message| message.contains(words))
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.error
            .problem
            .code()
            .is_some_and(|code| codes.contains(&code))
    }

    /// The line of a trust policy that would match, and why the one that is there may not.
    fn trust_policy_hint(&self) -> String {
        let Some(claims) = &self.claims else {
            return "the role's trust policy must allow sts:AssumeRole to the role or user that these credentials are of"
                .to_owned();
        };
        let mut hint = format!(
            "the role's trust policy must allow sts:AssumeRoleWithWebIdentity for this issuer, with conditions that \
             match sub {} and this aud",
            whole(claims.subject.as_ref())
        );
        if claims.subject.as_ref().is_some_and(|sub| has_ids(sub.raw())) {
            hint.push_str(
                "; this sub carries the numbers of owner and repository (GitHub, repositories since July 2026): a \
                 condition for repo:OWNER/REPOSITORY:* does not match it",
            );
        }
        hint
    }

    fn expired_hint(&self) -> String {
        let until = self.claims.as_ref().and_then(|claims| claims.expires);
        let until = until
            .map(|until| format!(" at {until}, now it is {}", self.at))
            .unwrap_or_default();
        format!("the token ran out{until}; it has to be made shortly before it is used")
    }
}

/// Whether a subject is of the immutable form `repo:OWNER@ID/REPOSITORY@ID:…`.
fn has_ids(subject: &str) -> bool {
    let name = subject
        .strip_prefix("repo:")
        .and_then(|rest| rest.split(':').next());
    name.and_then(|name| name.split_once('/'))
        .is_some_and(|(owner, repository)| owner.contains('@') && repository.contains('@'))
}

impl Classified for Denial {
    fn class(&self) -> Class {
        if self.has_code(&["InvalidIdentityToken"]) && is_key_fetch(&self.error.problem) {
            return Class::Unavailable;
        }
        match self.error.problem.kind() {
            Kind::Throttled | Kind::Unavailable => Class::Unavailable,
            Kind::Invalid => Class::Usage,
            Kind::Refused | Kind::Expired | Kind::Missing => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        if is_key_fetch(&self.error.problem) || self.has_code(&["IDPCommunicationError"]) {
            return Some("STS could not fetch the issuer's keys; run again, and see that the issuer is reachable from the internet".to_owned());
        }
        if self.said("OpenIDConnect provider") {
            return Some("create an IAM identity provider for this iss in the role's account".to_owned());
        }
        if self.said("audience") || self.has_code(&["IDPRejectedClaim"]) {
            return Some(
                "the audience of the token must be one that the IAM identity provider lists; input audience sets it"
                    .to_owned(),
            );
        }
        if self.has_code(&["RegionDisabledException"]) {
            return Some("the account has switched this region off; give another region".to_owned());
        }
        match self.error.problem.kind() {
            Kind::Expired if self.claims.is_some() => Some(self.expired_hint()),
            Kind::Refused if self.has_code(&["AccessDenied", "AccessDeniedException"]) => {
                Some(self.trust_policy_hint())
            }
            Kind::Invalid if self.said("DurationSeconds") => {
                Some("role-duration must not be longer than the role's maximum session duration".to_owned())
            }
            _ => None,
        }
    }
}

/// Whether STS could not fetch the issuer's keys, which passes by itself with GitHub.
pub(super) fn is_key_fetch(problem: &Problem) -> bool {
    let words = "Couldn't retrieve verification key";
    problem.message().is_some_and(|message| message.contains(words))
}

/// Length of a piece of a token that must not be repeated: shorter pieces tell nothing.
const TELLING: usize = 16;

/// Takes out the service's words when any piece of the token stands in them.
fn withhold(error: &mut ServiceError, token: &str) {
    let (Problem::Reported {
        message: Some(words), ..
    }
    | Problem::Nonsense { start: words, .. }) = &mut error.problem
    else {
        return;
    };
    let said = words.raw().as_bytes();
    let repeats = |piece: &[u8]| said.windows(TELLING).any(|window| window == piece);
    if token.as_bytes().windows(TELLING).any(repeats) {
        *words = Foreign::new("(words that repeat the token, withheld)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(payload: &str) -> String {
        format!(
            "eyJhbGciOiJSUzI1NiJ9.{}.c2lnbmF0dXJlLWNhbmFyeQ",
            URL_SAFE_NO_PAD.encode(payload)
        )
    }

    fn denial(payload: &str, status: u16, code: &str, message: &str) -> Denial {
        let role: RoleArn = "arn:aws:iam::111122223333:role/sign".parse().unwrap();
        let error = ServiceError {
            service: "STS",
            operation: "AssumeRoleWithWebIdentity",
            problem: Problem::Reported {
                status,
                code: Foreign::new(code),
                message: Some(Foreign::new(message)),
            },
            request_id: None,
        };
        Denial::of_token(&role, &token(payload), Timestamp::from_unix(1_800_000_000), error)
    }

    const SUBJECT: &str = r#"{"sub":"repo:o/r:ref:refs/heads/main","aud":["sts.amazonaws.com"],"iss":"https://i.example","exp":1799999000}"#;

    #[test]
    fn sub_and_aud_are_shown_and_the_token_is_not() {
        let denial = denial(
            SUBJECT,
            403,
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        );
        assert_eq!(
            denial.to_string(),
            "could not assume the role arn:aws:iam::111122223333:role/sign with a token of sub \
             \"repo:o/r:ref:refs/heads/main\", aud \"sts.amazonaws.com\", iss \"https://i.example\""
        );
        assert_eq!(denial.class(), Class::Refused);
        let hint = denial.hint().unwrap();
        assert!(
            hint.contains("match sub \"repo:o/r:ref:refs/heads/main\""),
            "{hint}"
        );
        assert!(!hint.contains("numbers"), "{hint}");
        assert!(!format!("{denial:?}").contains("eyJ"));
    }

    #[test]
    fn an_immutable_subject_is_explained() {
        let denial = denial(
            r#"{"sub":"repo:o@1/r@2:environment:prod"}"#,
            403,
            "AccessDenied",
            "no",
        );
        let hint = denial.hint().unwrap();
        assert!(
            hint.contains("carries the numbers of owner and repository"),
            "{hint}"
        );
        assert!(!has_ids("repo:o@1/r:ref"));
        assert!(!has_ids("project_path:g@1/p@2:ref"));
    }

    #[test]
    fn each_refusal_has_its_class_and_way_out() {
        for (status, code, message, class, way_out) in [
            (
                400,
                "ExpiredTokenException",
                "Token expired",
                Class::Refused,
                "ran out at 2027-01-15T07:43:20Z",
            ),
            (
                400,
                "ExpiredToken",
                "Token expired",
                Class::Refused,
                "ran out at 2027-01-15T07:43:20Z",
            ),
            (
                400,
                "InvalidIdentityToken",
                "Incorrect token audience",
                Class::Refused,
                "input audience",
            ),
            (
                400,
                "InvalidIdentityToken",
                "No OpenIDConnect provider found in your account for https://i.example",
                Class::Refused,
                "create an IAM identity provider",
            ),
            (
                400,
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider,  please",
                Class::Unavailable,
                "run again",
            ),
            (400, "IDPCommunicationError", "x", Class::Unavailable, "run again"),
            (403, "IDPRejectedClaim", "x", Class::Refused, "input audience"),
            (
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
                Class::Usage,
                "role-duration",
            ),
            (
                403,
                "RegionDisabledException",
                "x",
                Class::Usage,
                "another region",
            ),
        ] {
            let denial = denial(SUBJECT, status, code, message);
            let hint = denial.hint().unwrap_or_default();
            assert_eq!(denial.class(), class, "{code}");
            assert!(hint.contains(way_out), "{code}: {hint}");
        }
    }

    #[test]
    fn words_that_repeat_the_token_are_withheld() {
        let echoed = format!("bad token {}", token(SUBJECT));
        let denial = denial(SUBJECT, 400, "InvalidIdentityToken", &echoed);
        let shown = format!("{denial} {denial:?} {:?}", denial.hint());
        assert!(!shown.contains("c2lnbmF0dXJlLWNhbmFyeQ"), "{shown}");
        assert!(shown.contains("withheld"), "{shown}");
    }

    #[test]
    fn a_long_subject_is_shown_to_its_end() {
        let claims = Claims {
            subject: Some(Foreign::new(format!(
                "repo:{}:ref:refs/heads/end",
                "o".repeat(90)
            ))),
            ..Claims::default()
        };
        assert!(
            claims.to_string().contains("refs/heads/end\", aud absent"),
            "{claims}"
        );
    }

    proptest! {
        #[test]
        fn no_token_panics(token in any::<String>(), payload in any::<Vec<u8>>()) {
            let _ = Claims::of_token(&token);
            let _ = Claims::of_token(&format!("a.{}.b", URL_SAFE_NO_PAD.encode(payload)));
        }
    }
}
