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

mod attestation;
mod selection;
mod signature;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::Rule;
use super::escape::plain;
use super::ordered::Json;
use crate::base::failure::Class;
use crate::domain::oci::Digest;
use crate::domain::trust::{TrustPolicyDocument, TrustStore};

pub use attestation::FoundAttestation;
pub use signature::Found;

use attestation::Attestation;
use selection::Selection;
use signature::Signature;

/// The value of the member `schema`; another number means that a member went away or changed its meaning.
pub const SCHEMA: &str = "countersign-explanation/1";

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
    attestations: Vec<Attestation>,
    conclusion: Conclusion,
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
            attestations: Vec::new(),
            digest: digest.clone(),
            scope: scope.to_owned(),
            selection: Selection::of(scope, document, store),
            signatures: found.iter().map(Signature::of).collect(),
            conclusion,
        }
    }

    /// The same with the attestations that hang on the image.
    #[must_use]
    pub fn with_attestations(self, found: &[FoundAttestation]) -> Self {
        Self {
            attestations: found.iter().map(Attestation::of).collect(),
            ..self
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
            signature.write(&mut text, 0);
        }
        if self.signatures.is_empty() && self.selection.trust.is_some() {
            line(&mut text, 0, "no signature hangs on it");
        }
        for attestation in &self.attestations {
            attestation.write(&mut text);
        }
        line(
            &mut text,
            0,
            &format!("{}: {}", self.conclusion.verdict(), self.conclusion.why),
        );
        page(&mut text, 2, self.conclusion.rule);
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
            (
                "attestations",
                Json::list(self.attestations.iter().map(Attestation::json)),
            ),
            ("verdict", self.conclusion.verdict().into()),
            ("reason", (&self.conclusion.why).into()),
            ("rule", self.conclusion.rule.map(rule).into()),
        ])
        .document()
    }
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
fn page(text: &mut String, depth: usize, rule: Option<Rule>) {
    if let Some(rule) = rule {
        line(
            text,
            depth,
            &format!("{} {}: {}", rule.id(), rule.name(), rule.help_uri()),
        );
    }
}
