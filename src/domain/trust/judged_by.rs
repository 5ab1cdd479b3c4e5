//! What a verdict was judged by, as bytes that anyone can write again: so that a summary can name it by its digest.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::TrustPolicy;
use super::trust_store::TrustStore;
use crate::domain::oci::Digest;
use crate::domain::provenance::BuildLevel;
use crate::domain::x509::Thumbprint;

/// The first line: what follows, and in which form (`docs/verification-summary.md`).
const HEAD: &str = "countersign-policy/1";

/// Everything that decided a verdict on one image, besides the image and the moment.
#[derive(Clone, Copy, Debug)]
pub struct JudgedBy<'a> {
    /// The policy that speaks for the image.
    pub policy: &'a TrustPolicy,
    /// The digest of the file that holds it; none for one that follows from the signer.
    pub given: Option<&'a Digest>,
    /// The certificates of its trust stores.
    pub store: &'a TrustStore,
    /// The certificate that must have signed, where a policy cannot name it.
    pub signer: Option<&'a Thumbprint>,
    /// Pairs that the signed payload must hold.
    pub metadata: &'a BTreeMap<String, String>,
    /// The digest of the file that says what is expected of attestations.
    pub expectations: Option<&'a Digest>,
    /// The build level that the evidence has to support.
    pub minimum_build_level: Option<BuildLevel>,
    /// Whether something has to tie the image to the run.
    pub bound: bool,
}

impl JudgedBy<'_> {
    /// The lines, each ended by a line feed: the policy's file or what a derived policy says, then the trusted
    /// certificates in the order of their lines, then what was demanded besides, and only what was.
    pub fn text(&self) -> String {
        let policy = match self.given {
            Some(file) => vec![format!("trust-policy {file}")],
            None => self.derived(),
        };
        let signer = self.signer.map(|signer| format!("signer sha256:{signer}"));
        let pairs = self.metadata.iter();
        let pairs = pairs.map(|(key, value)| format!("metadata {} {}", json(key), json(value)));
        let expectations = self.expectations.map(|file| format!("expectations {file}"));
        let level = self.minimum_build_level;
        let level = level.map(|level| format!("minimum-build-level {level}"));
        let bound = self.bound.then(|| "require-binding".to_owned());
        let lines = std::iter::once(HEAD.to_owned())
            .chain(policy)
            .chain(self.certificates());
        let lines = lines.chain(signer).chain(pairs);
        lines
            .chain(expectations)
            .chain(level)
            .chain(bound)
            .map(|line| line + "\n")
            .collect()
    }

    /// The digest of the text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }

    /// A derived policy asks for everything, of these identities; whose scopes it is written for says nothing.
    fn derived(&self) -> Vec<String> {
        let identities = self.policy.identities().iter();
        let identities: BTreeSet<String> = identities
            .map(|one| format!("identity {}", json(&one.to_string())))
            .collect();
        std::iter::once("self-check".to_owned())
            .chain(identities)
            .collect()
    }

    /// A store that cannot be used trusts nobody, and no verdict rests on it.
    fn certificates(&self) -> BTreeSet<String> {
        let stores = self.policy.stores().iter();
        let held = stores.filter_map(|name| Some((name, self.store.certificates(name).ok()?)));
        held.flat_map(|(name, certificates)| {
            let line = move |thumbprint: Thumbprint| format!("certificate {name} sha256:{thumbprint}");
            certificates
                .iter()
                .map(move |certificate| line(certificate.thumbprint()))
        })
        .collect()
    }
}

/// A text on one line, as JSON spells it.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{simple_policy, store};
    use super::*;
    use crate::domain::x509::testing::chain;
    use proptest::prelude::*;

    const SUBJECT: &str = "x509.subject: C=US, ST=WA, O=Test";

    #[test]
    fn the_lines_are_these_and_no_others() {
        let issued = chain();
        let (policy, trusted) = (
            simple_policy("strict", "ca:test", SUBJECT),
            store("ca:test", &issued),
        );
        let root = trusted.iter().next().unwrap().1.unwrap()[0].thumbprint();
        let (file, expected) = (Digest::of(b"policy"), Digest::of(b"expectations"));
        let none = BTreeMap::new();
        let bare = JudgedBy {
            policy: &policy,
            given: None,
            store: &trusted,
            signer: None,
            metadata: &none,
            expectations: None,
            minimum_build_level: None,
            bound: false,
        };
        assert_eq!(
            bare.text(),
            format!(
                "countersign-policy/1\nself-check\nidentity \"x509.subject: C=US,O=Test,ST=WA\"\n\
                 certificate ca:test sha256:{root}\n"
            )
        );
        let pairs = BTreeMap::from([
            ("b".to_owned(), "2\n".to_owned()),
            ("a".to_owned(), "1".to_owned()),
        ]);
        let full = JudgedBy {
            given: Some(&file),
            signer: Some(&root),
            metadata: &pairs,
            expectations: Some(&expected),
            minimum_build_level: Some(BuildLevel::L2),
            bound: true,
            ..bare
        };
        assert_eq!(
            full.text(),
            format!(
                "countersign-policy/1\ntrust-policy {file}\ncertificate ca:test sha256:{root}\nsigner sha256:{root}\n\
                 metadata \"a\" \"1\"\nmetadata \"b\" \"2\\n\"\nexpectations {expected}\nminimum-build-level 2\n\
                 require-binding\n"
            )
        );
        assert_eq!(full.digest(), Digest::of(full.text().as_bytes()));
    }

    proptest! {
        /// No pair can pass for another, nor for a line of its own.
        #[test]
        fn other_pairs_are_another_policy(
            a in prop::collection::btree_map(".{0,12}", ".{0,12}", 0..3),
            b in prop::collection::btree_map(".{0,12}", ".{0,12}", 0..3),
        ) {
            let policy = simple_policy("strict", "ca:test", SUBJECT);
            let trusted = TrustStore::default();
            let digest = |metadata| JudgedBy {
                policy: &policy,
                given: None,
                store: &trusted,
                signer: None,
                metadata,
                expectations: None,
                minimum_build_level: None,
                bound: false,
            }.digest();
            prop_assert_eq!(digest(&a) == digest(&b), a == b);
        }
    }
}
