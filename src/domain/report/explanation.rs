//! Why an image counts as signed, or does not: the chain of decisions in plain words, each with the page of its rule.
//!
//! ```
//! use std::collections::BTreeMap;
//! use countersign::domain::oci::Digest;
//! use countersign::domain::report::Rule;
//! use countersign::domain::report::explanation::{Conclusion, Explanation};
//! use countersign::domain::trust::{TrustPolicyDocument, TrustStore};
//!
//! let document = TrustPolicyDocument::parse(
//!     br#"{"version": "1.0", "trustPolicies": [{"name": "release", "registryScopes": ["registry.example.com/web"],
//!         "signatureVerification": {"level": "strict"}, "trustStores": ["ca:release"],
//!         "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"]}]}"#,
//! )?;
//! let image = Digest::of(b"image");
//! let missing = Conclusion::no(Rule::SignatureMissing, "no signature is there");
//! let explanation =
//!     Explanation::new(&image, "registry.example.com/web", &document, &TrustStore::default(), &[], missing);
//! let text = explanation.text();
//! assert!(text.contains("policy \"release\": its registryScopes name registry.example.com/web"));
//! assert!(text.contains("CSN001 signature-missing"));
//! # Ok::<(), countersign::domain::trust::PolicyError>(())
//! ```

use std::fmt::Write as _;

use super::Rule;
use super::escape::plain;
use super::ordered::Json;
use crate::base::failure::{Cause, Class};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::oci::Digest;
use crate::domain::trust::{
    Applicable, Outcome, Reason, RegistryScope, Rejected, TrustPolicy, TrustPolicyDocument, TrustStore,
    Validation, ValidationKind, ValidationResult,
};

/// The value of the member `schema`; another number means that a member went away or changed its meaning.
pub const SCHEMA: &str = "countersign-explanation/1";

/// One signature that hangs on the image, as the job left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The signature's manifest.
    pub manifest: Digest,
    /// How it was judged, or why it was not.
    pub outcome: Result<Outcome, String>,
}

/// What it all comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// Why not, as the class of the exit code; none where nothing stands in the way.
    pub class: Option<Class>,
    /// The rule behind it, where there is one.
    pub rule: Option<Rule>,
    /// In a sentence.
    pub why: String,
    /// Whether nobody looked, because the policy says so: then nothing is accepted.
    pub skipped: bool,
}

impl Conclusion {
    /// Nothing stands in the way.
    pub fn yes(why: impl Into<String>) -> Self {
        Self {
            class: None,
            rule: None,
            why: why.into(),
            skipped: false,
        }
    }

    /// Nobody looked.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self {
            skipped: true,
            ..Self::yes(why)
        }
    }

    /// A rule says no.
    pub fn no(rule: Rule, why: impl Into<String>) -> Self {
        Self {
            class: Some(Class::Rejected),
            rule: Some(rule),
            why: why.into(),
            skipped: false,
        }
    }

    /// `accepted`, `skipped`, `rejected`, or the class that kept it from being any of them.
    pub const fn verdict(&self) -> &'static str {
        match self.class {
            None if self.skipped => "skipped",
            None => "accepted",
            Some(class) => class.name(),
        }
    }
}

/// The chain of decisions for one image and one policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    digest: Digest,
    scope: String,
    selection: Selection,
    signatures: Vec<Signature>,
    conclusion: Conclusion,
}

/// Which policy speaks for the image.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selection {
    policy: Option<Foreign>,
    why: String,
    trust: Option<Trust>,
}

/// What the policy asks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trust {
    level: &'static str,
    actions: Vec<(&'static str, &'static str)>,
    stores: Vec<Store>,
    identities: Vec<Foreign>,
}

/// One trust store that the policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Store {
    name: String,
    /// How many certificates, or why it cannot be used.
    certificates: Result<usize, String>,
}

/// One signature, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    manifest: Digest,
    signer: Option<Foreign>,
    signed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    verdict: &'static str,
    why: Option<String>,
    rule: Option<Rule>,
    steps: Vec<Step>,
}

/// One validation of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    validation: Validation,
    rule: Option<Rule>,
}

impl Explanation {
    /// Puts the chain together; a pure function of the image, the policy document, the trust store and the outcomes.
    ///
    /// `scope` is `registry/repository`, or `*` for an image that belongs to no registry.
    pub fn new(
        digest: &Digest,
        scope: &str,
        document: &TrustPolicyDocument,
        store: &TrustStore,
        found: &[Found],
        conclusion: Conclusion,
    ) -> Self {
        Self {
            digest: digest.clone(),
            scope: scope.to_owned(),
            selection: Selection::of(scope, document, store),
            signatures: found.iter().map(Signature::of).collect(),
            conclusion,
        }
    }

    /// What it comes to.
    pub fn conclusion(&self) -> &Conclusion {
        &self.conclusion
    }

    /// The chain as text, a decision a paragraph; nothing in it is obeyed by a terminal or a CI host.
    pub fn text(&self) -> String {
        let mut text = String::new();
        line(&mut text, 0, &format!("image {}", self.digest));
        let belongs = if self.scope == "*" {
            "it belongs to no registry, so only a policy for \"*\" speaks for it".to_owned()
        } else {
            format!("it belongs to {}", self.scope)
        };
        line(&mut text, 1, &belongs);
        self.selection.write(&mut text);
        for signature in &self.signatures {
            signature.write(&mut text);
        }
        if self.signatures.is_empty() && self.selection.trust.is_some() {
            line(&mut text, 0, "no signature hangs on it");
        }
        line(
            &mut text,
            0,
            &format!("{}: {}", self.conclusion.verdict(), self.conclusion.why),
        );
        page(&mut text, self.conclusion.rule);
        text
    }

    /// The chain as JSON, schema `countersign-explanation/1` (`docs/schemas/explanation-1.json`); members are always
    /// there, `null` where nothing is known.
    pub fn json(&self) -> String {
        Json::map([
            ("schema", SCHEMA.into()),
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("digest", self.digest.to_string().into()),
            ("scope", (&self.scope).into()),
            ("policy", self.selection.json()),
            (
                "signatures",
                Json::list(self.signatures.iter().map(Signature::json)),
            ),
            ("verdict", self.conclusion.verdict().into()),
            ("reason", (&self.conclusion.why).into()),
            ("rule", self.conclusion.rule.map(rule).into()),
        ])
        .document()
    }
}

impl Selection {
    fn of(scope: &str, document: &TrustPolicyDocument, store: &TrustStore) -> Self {
        let applicable = match document.applicable(scope) {
            Ok(applicable) => applicable,
            Err(error) => {
                return Self {
                    policy: None,
                    why: Cause::of(&error).message,
                    trust: None,
                };
            }
        };
        let everything = applicable.scopes().contains(&RegistryScope::Every);
        let reason = match (everything, scope) {
            (true, "*") => "it speaks for everything (registryScopes \"*\")".to_owned(),
            (true, scope) => {
                format!("no policy names {scope}, and this one speaks for everything (registryScopes \"*\")")
            }
            (false, scope) => format!("its registryScopes name {scope}"),
        };
        Self {
            policy: Some(Foreign::new(applicable.name())),
            why: match applicable {
                Applicable::Judge(_) => reason,
                Applicable::Skip(_) => format!("{reason}; its level is skip, so nothing is looked at"),
            },
            trust: match applicable {
                Applicable::Judge(policy) => Some(Trust::of(policy, store)),
                Applicable::Skip(_) => None,
            },
        }
    }

    fn write(&self, text: &mut String) {
        let name = self.policy.as_ref();
        let name = name.map_or_else(
            || "no policy".to_owned(),
            |name| format!("policy {}", name.quote()),
        );
        line(text, 0, &format!("{name}: {}", self.why));
        let Some(trust) = &self.trust else { return };
        let actions: Vec<String> = trust
            .actions
            .iter()
            .map(|(kind, action)| format!("{kind} {action}"))
            .collect();
        line(text, 1, &format!("level {}: {}", trust.level, actions.join(", ")));
        for store in &trust.stores {
            let holds = match &store.certificates {
                Ok(1) => "1 certificate".to_owned(),
                Ok(count) => format!("{count} certificates"),
                Err(why) => format!("cannot be used, so nothing counts as trusted: {why}"),
            };
            line(text, 1, &format!("trust store {}: {holds}", store.name));
        }
        for identity in &trust.identities {
            line(text, 1, &format!("trusts {}", identity.quote()));
        }
    }

    fn json(&self) -> Json {
        let actions = |trust: &Trust| {
            let members = trust
                .actions
                .iter()
                .map(|(kind, action)| ((*kind).to_owned(), (*action).into()));
            Json::Map(members.collect())
        };
        let stores = |trust: &Trust| {
            Json::list(trust.stores.iter().map(|store| {
                Json::map([
                    ("name", (&store.name).into()),
                    ("certificates", store.certificates.as_ref().ok().copied().into()),
                    ("problem", store.certificates.as_ref().err().into()),
                ])
            }))
        };
        Json::map([
            ("name", self.policy.as_ref().into()),
            ("reason", (&self.why).into()),
            ("level", self.trust.as_ref().map(|trust| trust.level).into()),
            ("actions", self.trust.as_ref().map(actions).into()),
            ("trustStores", self.trust.as_ref().map(stores).into()),
            (
                "trustedIdentities",
                self.trust
                    .as_ref()
                    .map(|trust| Json::list(&trust.identities))
                    .into(),
            ),
        ])
    }
}

impl Trust {
    fn of(policy: &TrustPolicy, store: &TrustStore) -> Self {
        let verification = policy.verification();
        let actions = ValidationKind::ALL.map(|kind| (kind.name(), verification.action(kind).name()));
        let stores = policy.stores().iter().map(|name| Store {
            name: name.to_string(),
            certificates: match store.certificates(name) {
                Ok(certificates) => Ok(certificates.len()),
                Err(error) => Err(Cause::of(&error).message),
            },
        });
        let identities = policy
            .identities()
            .iter()
            .map(|identity| Foreign::new(identity.to_string()));
        Self {
            level: verification.level().name(),
            actions: actions.to_vec(),
            stores: stores.collect(),
            identities: identities.collect(),
        }
    }
}

impl Signature {
    fn of(found: &Found) -> Self {
        let outcome = found.outcome.as_ref().ok();
        let refused = match outcome {
            Some(Outcome::Rejected(rejected)) => Some(rejected),
            _ => None,
        };
        let reason = refused.map(Rejected::reason);
        let steps = outcome.map(Outcome::validations).unwrap_or_default().iter();
        let times = outcome.and_then(Outcome::envelope).map(|envelope| {
            let signed_at = envelope.authentic_signing_time().or(envelope.signing_time());
            (signed_at, envelope.expiry())
        });
        let (signed_at, expires_at) = times.unwrap_or_default();
        Self {
            manifest: found.manifest.clone(),
            signer: outcome.and_then(Outcome::identity).cloned(),
            signed_at,
            expires_at,
            verdict: match (outcome, refused) {
                (None, _) => "not judged",
                (_, None) => "accepted",
                (_, Some(rejected)) if rejected.class() == Class::Unavailable => "unknown",
                (_, Some(_)) => "rejected",
            },
            why: match &found.outcome {
                Err(why) => Some(why.clone()),
                Ok(_) => refused.map(|rejected| rejected.message().to_owned()),
            },
            rule: reason.map(Rule::of_refusal),
            steps: steps
                .map(|validation| Step {
                    validation: validation.clone(),
                    rule: rule_of(validation, reason),
                })
                .collect(),
        }
    }

    fn write(&self, text: &mut String) {
        line(text, 0, &format!("signature {}", self.manifest));
        if let Some(signer) = &self.signer {
            let claims = if self.verdict == "accepted" {
                "signed"
            } else {
                "claims to be signed"
            };
            line(text, 1, &format!("{claims} by {}", signer.quote()));
        }
        if let Some(at) = self.signed_at {
            let until = self.expires_at.map(|until| format!(", counts until {until}"));
            line(
                text,
                1,
                &format!("says it was made at {at}{}", until.unwrap_or_default()),
            );
        }
        for step in &self.steps {
            let Validation { kind, action, result } = &step.validation;
            let why = result.why().map(|why| format!(": {why}")).unwrap_or_default();
            line(text, 1, &format!("{kind} ({action}) {}{why}", result.name()));
            page(text, step.rule);
        }
        let why = self
            .why
            .as_ref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        line(text, 1, &format!("{}{why}", self.verdict));
        // A validation that failed for the same rule has shown its page already.
        if self.steps.iter().all(|step| step.rule != self.rule) {
            page(text, self.rule);
        }
    }

    fn json(&self) -> Json {
        let steps = self.steps.iter().map(|step| {
            Json::map([
                ("validation", step.validation.kind.name().into()),
                ("action", step.validation.action.name().into()),
                ("result", step.validation.result.name().into()),
                ("reason", step.validation.result.why().into()),
                ("rule", step.rule.map(rule).into()),
            ])
        });
        Json::map([
            ("digest", self.manifest.to_string().into()),
            ("identity", self.signer.as_ref().into()),
            ("signedAt", self.signed_at.map(|at| at.to_string()).into()),
            ("expiresAt", self.expires_at.map(|at| at.to_string()).into()),
            ("verdict", self.verdict.into()),
            ("reason", self.why.as_ref().into()),
            ("rule", self.rule.map(rule).into()),
            ("validations", Json::list(steps)),
        ])
    }
}

/// The rule that a validation which went wrong falls under; the signature's own reason tells root and signer apart.
fn rule_of(validation: &Validation, reason: Option<Reason>) -> Option<Rule> {
    let unknown = match validation.result {
        ValidationResult::Passed | ValidationResult::Skipped(_) => return None,
        ValidationResult::Failed(_) => false,
        ValidationResult::Unknown(_) => true,
    };
    Some(match (validation.kind, unknown) {
        (ValidationKind::Integrity, _) => reason.map_or(Rule::SignatureInvalid, Rule::of_refusal),
        (ValidationKind::Authenticity, _) if reason == Some(Reason::UntrustedRoot) => {
            Rule::SignatureUntrustedRoot
        }
        (ValidationKind::Authenticity, _) => Rule::SignatureUntrustedIdentity,
        (ValidationKind::Expiry | ValidationKind::AuthenticTimestamp, _) => Rule::SignatureExpired,
        (ValidationKind::Revocation, true) => Rule::RevocationUnknown,
        (ValidationKind::Revocation, false) => Rule::SignatureRevoked,
    })
}

fn rule(rule: Rule) -> Json {
    Json::map([
        ("id", rule.id().into()),
        ("name", rule.name().into()),
        ("page", rule.help_uri().into()),
    ])
}

fn line(text: &mut String, depth: usize, words: &str) {
    let _ = writeln!(text, "{}{}", "  ".repeat(depth), plain(words));
}

/// The page of a rule, under the decision that it is about.
fn page(text: &mut String, rule: Option<Rule>) {
    if let Some(rule) = rule {
        line(
            text,
            2,
            &format!("{} {}: {}", rule.id(), rule.name(), rule.help_uri()),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::trust::testing::{local_header, payload, sign, store, subject, time};
    use crate::domain::trust::{Requirements, examine};
    use crate::domain::x509::testing::chain;

    const SUBJECT: &str = "x509.subject: C=US, ST=WA, O=Test";

    fn document(scope: &str, identity: &str) -> TrustPolicyDocument {
        let text = json!({"version": "1.0", "trustPolicies": [
            {"name": "release", "registryScopes": [scope], "signatureVerification": {"level": "strict"},
             "trustStores": ["ca:test", "ca:gone"], "trustedIdentities": [identity]},
            {"name": "lab", "registryScopes": ["registry.example.com/lab"],
             "signatureVerification": {"level": "skip"}},
        ]});
        TrustPolicyDocument::parse(text.to_string().as_bytes()).unwrap()
    }

    /// One signature, judged at a moment.
    fn explained(scope: &str, identity: &str, now: &str) -> Explanation {
        let issued = chain();
        let document = document(scope, identity);
        let mut store = store("ca:test", &issued);
        store.insert(
            "ca:gone".parse().unwrap(),
            Ok(vec![issued.certificates[1].clone()]),
        );
        let Ok(Applicable::Judge(policy)) = document.applicable("registry.example.com/web") else {
            panic!("a policy");
        };
        let evidence = sign(&issued, &local_header(), &payload(&subject(1), &[]));
        let about = subject(1);
        let pending = examine(
            &evidence,
            &about,
            policy,
            &store,
            &Requirements::default(),
            time(now),
        );
        let outcome = pending.conclude(&BTreeMap::new());
        let conclusion = match &outcome {
            Outcome::Accepted(_) => Conclusion::yes("a signature passes everything"),
            Outcome::Rejected(rejected) => {
                Conclusion::no(Rule::of_refusal(rejected.reason()), rejected.message())
            }
        };
        let found = Found {
            manifest: Digest::of(b"signature"),
            outcome: Ok(outcome),
        };
        let scope = "registry.example.com/web";
        Explanation::new(about.digest(), scope, &document, &store, &[found], conclusion)
    }

    fn parsed(explanation: &Explanation) -> Value {
        serde_json::from_str(&explanation.json()).unwrap()
    }

    #[test]
    fn every_decision_is_told_in_order() {
        let text = explained("*", SUBJECT, "2031-01-01T00:00:00Z").text();
        let digests = [
            subject(1).digest().to_string(),
            Digest::of(b"signature").to_string(),
        ];
        let text = text
            .replace(&digests[0], "IMAGE")
            .replace(&digests[1], "SIGNATURE");
        let version = env!("CARGO_PKG_VERSION");
        let text = text.replace(&format!("/v{version}/"), "/VERSION/");
        assert_eq!(
            text,
            "image IMAGE\n\
             \x20 it belongs to registry.example.com/web\n\
             policy \"release\": no policy names registry.example.com/web, and this one speaks for everything \
             (registryScopes \"*\")\n\
             \x20 level strict: integrity enforce, authenticity enforce, expiry enforce, authenticTimestamp enforce, \
             revocation enforce\n\
             \x20 trust store ca:test: 1 certificate\n\
             \x20 trust store ca:gone: 1 certificate\n\
             \x20 trusts \"x509.subject: C=US,O=Test,ST=WA\"\n\
             signature SIGNATURE\n\
             \x20 claims to be signed by \"CN=Test Signer,O=Test,ST=WA,C=US\"\n\
             \x20 says it was made at 2024-06-01T00:00:00Z, counts until 2030-01-01T00:00:00Z\n\
             \x20 integrity (enforce) passed\n\
             \x20 authenticity (enforce) passed\n\
             \x20 expiry (enforce) failed: it expired at 2030-01-01T00:00:00Z, and it is 2031-01-01T00:00:00Z\n\
             \x20   CSN005 signature-expired: https://github.com/countersign/countersign/blob/VERSION/docs/rules/CSN005.md\n\
             \x20 authenticTimestamp (enforce) passed\n\
             \x20 revocation (enforce) passed\n\
             \x20 rejected: it expired at 2030-01-01T00:00:00Z, and it is 2031-01-01T00:00:00Z\n\
             rejected: it expired at 2030-01-01T00:00:00Z, and it is 2031-01-01T00:00:00Z\n\
             \x20   CSN005 signature-expired: https://github.com/countersign/countersign/blob/VERSION/docs/rules/CSN005.md\n"
        );
    }

    #[test]
    fn the_policy_that_names_the_repository_is_said_to() {
        let good = explained("registry.example.com/web", SUBJECT, "2025-01-01T00:00:00Z");
        assert_eq!(good.conclusion().verdict(), "accepted");
        let json = parsed(&good);
        assert_eq!(
            json["policy"]["reason"],
            "its registryScopes name registry.example.com/web"
        );
        assert_eq!(json["signatures"][0]["verdict"], "accepted");
        assert_eq!(json["signatures"][0]["rule"], Value::Null);
        assert_eq!(json["verdict"], "accepted");
        let stranger = explained("*", "x509.subject: C=US, ST=WA, O=Else", "2025-01-01T00:00:00Z");
        let json = parsed(&stranger);
        assert_eq!(json["signatures"][0]["validations"][1]["rule"]["id"], "CSN003");
        assert_eq!(json["rule"]["name"], "signature-untrusted-identity");
    }

    #[test]
    fn skipping_and_having_no_policy_are_decisions_too() {
        let document = document("registry.example.com/web", SUBJECT);
        let explain = |scope: &str| {
            let nothing = Conclusion::yes("nothing is looked at");
            let image = Digest::of(b"image");
            Explanation::new(&image, scope, &document, &TrustStore::default(), &[], nothing).text()
        };
        assert!(explain("registry.example.com/lab").contains("its level is skip, so nothing is looked at"));
        assert!(explain("registry.example.com/other").contains("no policy: expected a trust policy whose"));
        assert!(explain("*").contains("it belongs to no registry"));
        let unusable = explain("registry.example.com/web");
        assert!(
            unusable.contains("trust store ca:test: cannot be used"),
            "{unusable}"
        );
        assert!(unusable.contains("no signature hangs on it"));
    }

    #[test]
    fn what_was_not_judged_says_why() {
        let found = Found {
            manifest: Digest::of(b"signature"),
            outcome: Err("denied\n::set-output".to_owned()),
        };
        let document = document("registry.example.com/web", SUBJECT);
        let conclusion = Conclusion::no(Rule::SignatureInvalid, "the signature cannot be read");
        let explanation = Explanation::new(
            &Digest::of(b"image"),
            "registry.example.com/web",
            &document,
            &TrustStore::default(),
            &[found],
            conclusion,
        );
        assert!(explanation.text().contains("  not judged: denied\\n::set-output"));
        assert_eq!(parsed(&explanation)["signatures"][0]["validations"], json!([]));
    }

    #[test]
    fn explanations_follow_the_published_schema() {
        let schema: Value =
            serde_json::from_str(include_str!("../../../docs/schemas/explanation-1.json")).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for now in ["2025-01-01T00:00:00Z", "2031-01-01T00:00:00Z"] {
            let json = parsed(&explained("*", SUBJECT, now));
            let errors: Vec<String> = validator
                .iter_errors(&json)
                .map(|error| error.to_string())
                .collect();
            assert_eq!(errors, Vec::<String>::new());
        }
        assert!(!validator.is_valid(&json!({"schema": "countersign-explanation/2"})));
    }
}
