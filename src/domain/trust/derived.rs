//! Trust derived from the signer itself: the policy and the store under which what it signs is accepted, and nothing
//! else. It proves that a registry holds what was signed, not that anyone else trusts the signer.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::dn::DistinguishedName;
use super::examine::Requirements;
use super::identity::TrustedIdentity;
use super::level::ValidationKind;
use super::policy::{Applicable, PolicyError, TrustPolicy, TrustPolicyDocument};
use super::scope::RegistryScope;
use super::store_name::{StoreName, StoreNameError, StoreType};
use super::trust_store::TrustStore;
use crate::base::arn::ProfileArn;
use crate::base::failure::{Class, Classified};
use crate::base::foreign::quote;
use crate::domain::x509::{Certificate, CertificateError, Thumbprint, read_certificates};

/// The name of the derived policy.
const POLICY_NAME: &str = "countersign-self-check";

/// The name of the derived store of a local signer.
const LOCAL_STORE: &str = "countersign-local";

/// Why no trust can be derived from a signer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerivedError {
    /// A partition of AWS whose root certificate is not embedded.
    #[error(
        "expected a signing profile in the partition aws or aws-us-gov, whose root certificates are embedded, found \
         the partition {}",
        quote(.0)
    )]
    Partition(String),
    /// A policy that cannot be written, as for a scope that policies cannot name.
    #[error("could not derive a trust policy from the signer")]
    Policy(#[from] PolicyError),
    /// An embedded certificate that cannot be read.
    #[error("could not read the embedded root certificate")]
    Root(#[from] CertificateError),
    /// A derived store whose name is none.
    #[error("could not name the derived trust store")]
    Store(#[from] StoreNameError),
}

impl Classified for DerivedError {
    fn class(&self) -> Class {
        match self {
            Self::Partition(_) | Self::Policy(_) => Class::Usage,
            Self::Root(_) | Self::Store(_) => Class::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Partition(_) => {
                Some("give the root certificate of AWS Signer in that partition as trust-store".to_owned())
            }
            _ => None,
        }
    }
}

/// The root certificates of AWS Signer in a partition (AWS Signer developer guide, "Notation plugin"; SHA-256 digests
/// in `roots/README.md`).
///
/// # Errors
/// [`DerivedError::Partition`] for a partition whose root is not embedded.
pub fn aws_roots(partition: &str) -> Result<Vec<Certificate>, DerivedError> {
    let pem: &[u8] = match partition {
        "aws" => include_bytes!("roots/aws-signer-notation-root.pem"),
        "aws-us-gov" => include_bytes!("roots/aws-us-gov-signer-notation-root.pem"),
        other => return Err(DerivedError::Partition(other.to_owned())),
    };
    Ok(read_certificates(pem)?)
}

/// A file of Notation's configuration directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFile {
    /// The path below the directory, with `/` between its parts.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// A policy and a store made from a signer, and the files that say the same to other verifiers.
///
/// The policy is read back from the very bytes of its file, so that the file and the judgement cannot differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedTrust {
    document: TrustPolicyDocument,
    store: TrustStore,
    files: Vec<TrustFile>,
    signer: Option<Thumbprint>,
}

impl DerivedTrust {
    /// Trust in a local key, from its chain's leaf and root: the root is the trust store, the leaf's subject the
    /// trusted identity. A leaf whose subject policies cannot name (it lacks C, ST or O, or repeats a type) is held to
    /// by its certificate: see [`DerivedTrust::requirements`].
    ///
    /// # Errors
    /// [`DerivedError::Policy`].
    pub fn local(
        scopes: &[RegistryScope],
        leaf: &Certificate,
        root: &Certificate,
    ) -> Result<Self, DerivedError> {
        let subject = DistinguishedName::of_subject(leaf.subject());
        let identity = subject
            .ok()
            .map(TrustedIdentity::Subject)
            .filter(|identity| TrustedIdentity::parse(&identity.to_string()).as_ref() == Ok(identity));
        let signer = identity.is_none().then(|| leaf.thumbprint());
        let identity = identity.unwrap_or(TrustedIdentity::Any);
        let store = StoreName::new(StoreType::Ca, LOCAL_STORE)?;
        Self::new(scopes, &store, std::slice::from_ref(root), &identity, signer)
    }

    /// Trust in a signing profile of AWS Signer: the root certificate of its partition, the profile's ARN as identity.
    ///
    /// # Errors
    /// [`DerivedError`]; for other partitions than `aws` and `aws-us-gov` use [`DerivedTrust::aws_under`].
    pub fn aws(scopes: &[RegistryScope], profile: &ProfileArn) -> Result<Self, DerivedError> {
        Self::aws_under(scopes, profile, &aws_roots(&profile.arn().partition)?)
    }

    /// Trust in a signing profile of AWS Signer under root certificates that a caller gives.
    ///
    /// # Errors
    /// [`DerivedError::Policy`].
    pub fn aws_under(
        scopes: &[RegistryScope],
        profile: &ProfileArn,
        roots: &[Certificate],
    ) -> Result<Self, DerivedError> {
        let name = match profile.arn().partition.as_str() {
            "aws-us-gov" => "aws-us-gov-signer-ts",
            _ => "aws-signer-ts",
        };
        let store = StoreName::new(StoreType::SigningAuthority, name)?;
        let identity = TrustedIdentity::Other(profile.to_string());
        Self::new(scopes, &store, roots, &identity, None)
    }

    fn new(
        scopes: &[RegistryScope],
        store_name: &StoreName,
        roots: &[Certificate],
        identity: &TrustedIdentity,
        signer: Option<Thumbprint>,
    ) -> Result<Self, DerivedError> {
        let policy = render(scopes, store_name, identity);
        let document = TrustPolicyDocument::parse(&policy)?;
        let mut files = vec![TrustFile {
            path: "trustpolicy.json".to_owned(),
            bytes: policy,
        }];
        files.extend(store_files(store_name, roots));
        let mut store = TrustStore::default();
        store.insert(store_name.clone(), Ok(roots.to_vec()));
        Ok(Self {
            document,
            store,
            files,
            signer,
        })
    }

    /// The policy; its one entry never says `skip`.
    pub fn document(&self) -> &TrustPolicyDocument {
        &self.document
    }

    /// The store that the policy names.
    pub fn store(&self) -> &TrustStore {
        &self.store
    }

    /// `trustpolicy.json` and the files of the trust store, as Notation's configuration directory holds them.
    pub fn files(&self) -> &[TrustFile] {
        &self.files
    }

    /// What a self-check requires beyond the policy: where the policy cannot name the leaf, that it be this very
    /// certificate. Trust policies cannot say that, so another verifier with the same files trusts the whole root.
    pub fn requirements(&self) -> Requirements {
        Requirements {
            signer: self.signer.clone(),
            ..Requirements::default()
        }
    }

    /// Whether a policy and a store that somebody gave ask of a signature exactly what this trust asks, whatever they
    /// are called and wherever they apply; a run under them is no more than a self-check.
    pub fn is_asked_by(&self, policy: &TrustPolicy, store: &TrustStore) -> bool {
        let mut own = self.document.policies();
        own.any(|own| match own {
            Applicable::Judge(own) => {
                demands(own, &self.store).is_some_and(|own| Some(own) == demands(policy, store))
            }
            Applicable::Skip(_) => false,
        })
    }
}

/// What a policy and its stores ask of a signature: actions, identities, trusted certificates by store type.
type Demands<'a> = (
    Vec<&'static str>,
    BTreeSet<&'a TrustedIdentity>,
    BTreeSet<(StoreType, &'a [u8])>,
);

/// None when a store that the policy names cannot be used.
fn demands<'a>(policy: &'a TrustPolicy, store: &'a TrustStore) -> Option<Demands<'a>> {
    let actions = ValidationKind::ALL.map(|kind| policy.verification().action(kind).name());
    let mut trusted = BTreeSet::new();
    for name in policy.stores() {
        let certificates = store.certificates(name).ok()?;
        trusted.extend(
            certificates
                .iter()
                .map(|certificate| (name.kind(), certificate.der())),
        );
    }
    Some((actions.to_vec(), policy.identities().iter().collect(), trusted))
}

/// Writes the policy in the order of members that the specification's examples have.
fn render(scopes: &[RegistryScope], store: &StoreName, identity: &TrustedIdentity) -> Vec<u8> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        version: &'static str,
        trust_policies: [Policy; 1],
    }
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        name: &'static str,
        registry_scopes: BTreeSet<String>,
        signature_verification: Level,
        trust_stores: [String; 1],
        trusted_identities: [String; 1],
    }
    #[derive(serde::Serialize)]
    struct Level {
        level: &'static str,
    }
    let every = scopes.is_empty() || scopes.contains(&RegistryScope::Every);
    let scopes: BTreeSet<String> = if every {
        BTreeSet::from([RegistryScope::Every.to_string()])
    } else {
        scopes.iter().map(RegistryScope::to_string).collect()
    };
    let file = File {
        version: "1.0",
        trust_policies: [Policy {
            name: POLICY_NAME,
            registry_scopes: scopes,
            signature_verification: Level { level: "strict" },
            trust_stores: [store.to_string()],
            trusted_identities: [identity.to_string()],
        }],
    };
    // Text members alone cannot fail to be written; an empty file would be refused when it is read back.
    let mut bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The certificates of a store as PEM files, one each.
fn store_files(store: &StoreName, certificates: &[Certificate]) -> Vec<TrustFile> {
    let file = |(index, certificate): (usize, &Certificate)| TrustFile {
        path: format!(
            "truststore/x509/{}/{}/root-{}.pem",
            store.kind(),
            store.name(),
            index + 1
        ),
        bytes: pem(certificate).into_bytes(),
    };
    certificates.iter().enumerate().map(file).collect()
}

/// A certificate in PEM (RFC 7468, section 5: lines of 64 characters).
fn pem(certificate: &Certificate) -> String {
    let base64 = STANDARD.encode(certificate.der());
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::testing::{
        PROFILE, aws_header, local_header, payload, sign, simple_policy, store, subject, time,
    };
    use super::super::{Evidence, Outcome, RevocationAnswer, examine};
    use super::*;
    use crate::domain::x509::testing::{Issued, chain, chain_with};

    fn local(issued: &Issued, scopes: &[&str]) -> DerivedTrust {
        let scopes: Vec<RegistryScope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        DerivedTrust::local(&scopes, &issued.certificates[0], &issued.certificates[2]).unwrap()
    }

    fn nameless() -> Issued {
        chain_with(|index, params| {
            if index == 0 {
                params.distinguished_name = rcgen::DistinguishedName::new();
                params.distinguished_name.push(rcgen::DnType::CommonName, "only");
            }
        })
    }

    fn accepts(trust: &DerivedTrust, evidence: &Evidence) -> bool {
        let Applicable::Judge(policy) = trust.document().applicable("*").unwrap() else {
            panic!("a derived policy never skips");
        };
        let pending = examine(
            evidence,
            &subject(1),
            policy,
            trust.store(),
            &trust.requirements(),
            time("2025-01-01T00:00:00Z"),
        );
        let outcome = pending.conclude(&BTreeMap::from([(0, RevocationAnswer::Good)]));
        matches!(outcome, Outcome::Accepted(_))
    }

    #[test]
    fn the_embedded_roots_are_the_published_ones() {
        let thumbprint = |partition| {
            let roots = aws_roots(partition).unwrap();
            assert!(roots.len() == 1 && roots[0].is_root_ca());
            roots[0].thumbprint().to_string()
        };
        assert_eq!(
            thumbprint("aws"),
            "90a87d0543c3f094dbff9589b6649affe2f3d6e0f308799be2258461c686473f"
        );
        assert_eq!(
            thumbprint("aws-us-gov"),
            "673653ab76f41a10546cdeb4107ecd6df2c15c2c9a0d32ed97d271b4436fc3e8"
        );
        let error = aws_roots("aws-cn").unwrap_err();
        assert_eq!(error, DerivedError::Partition("aws-cn".to_owned()));
        assert_eq!(error.class(), Class::Usage);
        assert!(error.hint().unwrap().contains("trust-store"));
    }

    #[test]
    fn the_files_are_those_of_notation_and_say_what_is_judged() {
        let issued = chain();
        let trust = local(&issued, &["registry.example.com/b", "registry.example.com/a"]);
        let paths: Vec<&str> = trust.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "trustpolicy.json",
                "truststore/x509/ca/countersign-local/root-1.pem"
            ]
        );
        let policy = std::str::from_utf8(&trust.files()[0].bytes).unwrap();
        assert_eq!(
            policy,
            r#"{
  "version": "1.0",
  "trustPolicies": [
    {
      "name": "countersign-self-check",
      "registryScopes": [
        "registry.example.com/a",
        "registry.example.com/b"
      ],
      "signatureVerification": {
        "level": "strict"
      },
      "trustStores": [
        "ca:countersign-local"
      ],
      "trustedIdentities": [
        "x509.subject: C=US,CN=Test Signer,O=Test,ST=WA"
      ]
    }
  ]
}
"#
        );
        assert_eq!(
            read_certificates(&trust.files()[1].bytes).unwrap(),
            [issued.certificates[2].clone()]
        );
        assert_eq!(
            TrustPolicyDocument::parse(policy.as_bytes()).as_ref(),
            Ok(trust.document())
        );
        assert_eq!(local(&issued, &[]), local(&issued, &["*", "example.com/a"]));
    }

    #[test]
    fn a_derived_trust_accepts_its_signer_and_no_other() {
        for issued in [chain(), nameless()] {
            let trust = local(&issued, &["*"]);
            let signed = |issued: &Issued| sign(issued, &local_header(), &payload(&subject(1), &[]));
            assert!(accepts(&trust, &signed(&issued)));
            assert!(!accepts(&trust, &signed(&chain())));
        }
        let issued = chain();
        let trust =
            DerivedTrust::aws_under(&[], &PROFILE.parse().unwrap(), &issued.certificates[2..]).unwrap();
        let evidence = sign(&issued, &aws_header(), &payload(&subject(1), &[]));
        assert!(accepts(&trust, &evidence));
        let other = format!("{PROFILE}2").parse().unwrap();
        let other = DerivedTrust::aws_under(&[], &other, &issued.certificates[2..]).unwrap();
        assert!(!accepts(&other, &evidence));
    }

    #[test]
    fn a_leaf_that_no_policy_can_name_is_held_to_by_its_certificate() {
        let issued = nameless();
        let trust = local(&issued, &["*"]);
        assert_eq!(
            trust.requirements().signer,
            Some(issued.certificates[0].thumbprint())
        );
        assert_eq!(local(&chain(), &["*"]).requirements().signer, None);
    }

    #[test]
    fn the_profiles_partition_decides_root_and_store() {
        let trust = |profile: &str| DerivedTrust::aws(&[], &profile.parse().unwrap());
        let gov = "arn:aws-us-gov:signer:us-gov-west-1:111122223333:/signing-profiles/p1";
        assert_eq!(
            trust(gov).unwrap().files()[1].path,
            "truststore/x509/signingAuthority/aws-us-gov-signer-ts/root-1.pem"
        );
        assert_eq!(
            trust(PROFILE).unwrap().files()[1].path,
            "truststore/x509/signingAuthority/aws-signer-ts/root-1.pem"
        );
        assert_eq!(
            trust("arn:aws-cn:signer:cn-north-1:111122223333:/signing-profiles/p1"),
            Err(DerivedError::Partition("aws-cn".to_owned()))
        );
    }

    #[test]
    fn a_given_policy_that_asks_the_same_is_recognised_whatever_it_is_called() {
        const SUBJECT: &str = "x509.subject: C=US, CN=Test Signer, O=Test, ST=WA";
        let issued = chain();
        let trust = local(&issued, &["example.com/a"]);
        let asked = |level: &str, identity: &str, by: &Issued| {
            trust.is_asked_by(&simple_policy(level, "ca:mine", identity), &store("ca:mine", by))
        };
        assert!(asked("strict", SUBJECT, &issued));
        assert!(!asked("permissive", SUBJECT, &issued));
        assert!(!asked("strict", "*", &issued));
        assert!(!asked("strict", SUBJECT, &chain()));
        assert!(!trust.is_asked_by(
            &simple_policy("strict", "ca:mine", SUBJECT),
            &TrustStore::default()
        ));
    }
}
