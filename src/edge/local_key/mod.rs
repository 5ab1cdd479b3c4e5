//! Signing with a key in memory, for drills, air gaps and the demo.
//!
//! For: a P-384 key and its chain that the user gives, or that is made once and kept; signing payloads with it.
//! Not for: deciding who trusts the key, or reading the user's own files (`app/` does).
//! Speaks: Notary signature specification (scheme `notary.x509`, ES384), RFC 5958 (PKCS #8), RFC 5915 (SEC 1 keys),
//! RFC 7468 (PEM), RFC 5280 (the certificates made here).
//!
//! ```
//! use countersign::base::{failure::Classified, time::Timestamp};
//! use countersign::edge::local_key::LocalKey;
//! use countersign::seams::Clock;
//!
//! let error = LocalKey::read(b"not a key", b"", Clock::Fixed(Timestamp::from_unix(0))).unwrap_err();
//! assert_eq!(error.to_string(), "expected a private key in PEM in the local key, found no PEM block");
//! assert!(error.hint().unwrap().contains("openssl"));
//! ```

mod kept;
mod key_file;
mod made;

use std::collections::BTreeMap;
use std::fmt;

use der::Decode as _;
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature as EcdsaSignature, SigningKey};
use p384::pkcs8::EncodePublicKey as _;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::notary::{Expected, Payload, SigningAttributes, UnsignedJws};
use crate::domain::x509::{Certificate, CertificateError, Chain, ChainError, KeySpec, read_certificates};
use crate::seams::{Clock, SignError, Signature, Signer, SignerIdentity};

/// A P-384 key and its chain.
pub struct LocalKey {
    key: SigningKey,
    chain: Chain,
    identity: SignerIdentity,
    clock: Clock,
    expires_in: Option<i64>,
}

/// Why a local key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalKeyError {
    /// A file that holds no private key in PEM.
    #[error("expected a private key in PEM in the local key, found {0}")]
    NoKey(String),
    /// A key that needs a passphrase.
    #[error("expected a private key without a passphrase in the local key, found an encrypted one")]
    Encrypted,
    /// A key of another kind or on another curve.
    #[error("expected a P-384 private key (secp384r1), found {0}")]
    OtherKind(String),
    /// A block that says it is a P-384 key, and is not.
    #[error("expected a P-384 private key in PKCS #8 or SEC 1 form, found {0}")]
    Unreadable(String),
    /// A chain whose certificates cannot be read.
    #[error("could not read the local chain")]
    Certificates(#[from] CertificateError),
    /// Certificates that are no chain for code signing.
    #[error("the local chain may not sign")]
    Chain(#[from] ChainError),
    /// A leaf with another key.
    #[error("expected the first certificate of the local chain to hold the local key, found that of {}", leaf.quote())]
    OtherKey {
        /// The subject of the leaf.
        leaf: Foreign,
    },
    /// A certificate that is not valid now.
    #[error("expected certificates valid at {now}, found {} valid from {from} until {until}", subject.quote())]
    Validity {
        /// The subject of the certificate.
        subject: Foreign,
        /// Now.
        now: Timestamp,
        /// The first moment of its validity.
        from: Timestamp,
        /// The last moment of its validity.
        until: Timestamp,
    },
    /// A key file that others may read or change.
    #[error("expected {path} to be private (mode 0600), found mode {mode:04o}")]
    Exposed {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A kept key without its chain.
    #[error("expected {chain} beside {key}, found none")]
    ChainLost {
        /// The file of the key.
        key: String,
        /// The file of the chain.
        chain: String,
    },
    /// A kept key that could not be read or written.
    #[error("could not {verb} {path}: {reason}")]
    Files {
        /// What to do about it.
        class: Class,
        /// `read`, `write`, …
        verb: &'static str,
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// Making a key or its certificates failed.
    #[error("could not make a local key: {0}")]
    NotMade(String),
}

impl Classified for LocalKeyError {
    fn class(&self) -> Class {
        match self {
            Self::Files { class, .. } => *class,
            Self::NotMade(_) => Class::Internal,
            _ => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        const MAKE: &str = "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384";
        Some(match self {
            Self::NoKey(_) | Self::OtherKind(_) | Self::Unreadable(_) => MAKE.to_owned(),
            Self::Encrypted => "write it without one: openssl pkey -in KEY -out PLAIN-KEY".to_owned(),
            Self::Certificates(error) => return error.hint(),
            Self::Chain(error) => return error.hint(),
            Self::OtherKey { .. } => {
                "give the key that the chain was issued for, or that key's chain".to_owned()
            }
            Self::Validity { now, until, .. } if now > until => {
                "have new certificates issued for the key".to_owned()
            }
            Self::Validity { .. } => {
                "check this machine's clock, or wait until the certificates are valid".to_owned()
            }
            Self::Exposed { path, .. } => {
                format!("chmod 600 {path}, and replace the key if others could read it")
            }
            Self::ChainLost { key, .. } => {
                format!("put the chain back, or remove {key} to have both made anew")
            }
            Self::Files { .. } => {
                "let this user read and write that directory, or give a key and chain of your own".to_owned()
            }
            Self::NotMade(_) => return None,
        })
    }
}

impl LocalKey {
    /// Puts a key and a chain together, both in PEM: PKCS #8 or SEC 1, and leaf to root.
    ///
    /// # Errors
    /// [`LocalKeyError`], one for each thing that can be wrong with either.
    pub fn read(key_pem: &[u8], chain_pem: &[u8], clock: Clock) -> Result<Self, LocalKeyError> {
        let key = key_file::read(key_pem)?;
        let chain = Chain::code_signing(read_certificates(chain_pem)?)?;
        if !is_key_of(&key, chain.leaf())? {
            return Err(LocalKeyError::OtherKey {
                leaf: subject(chain.leaf()),
            });
        }
        let now = clock.now();
        if let Some(invalid) = chain
            .certificates()
            .iter()
            .find(|certificate| !certificate.is_valid_at(now))
        {
            let (from, until) = (invalid.not_before(), invalid.not_after());
            return Err(LocalKeyError::Validity {
                subject: subject(invalid),
                now,
                from,
                until,
            });
        }
        let identity = SignerIdentity::LocalKey(chain.certificates().to_vec());
        Ok(Self {
            key,
            chain,
            identity,
            clock,
            expires_in: None,
        })
    }

    /// The same key, whose signatures cease to count after so many seconds.
    #[must_use]
    pub fn with_expiry(self, seconds: u32) -> Self {
        Self {
            expires_in: Some(i64::from(seconds)),
            ..self
        }
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

impl Signer for LocalKey {
    fn identity(&self) -> &SignerIdentity {
        &self.identity
    }

    fn expected(&self) -> Expected {
        Expected::LocalKey {
            leaf: self.chain.leaf().thumbprint(),
        }
    }

    /// Signs with ECDSA on P-384 and SHA-384, the nonce derived from key and message (RFC 6979).
    async fn sign(&self, payload: &Payload) -> Result<Signature, SignError> {
        let signing_time = self.clock.now().whole();
        let attributes = SigningAttributes {
            signing_time,
            expiry: self.expires_in.map(|seconds| signing_time.plus(seconds)),
            agent: concat!("countersign/", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let unsigned = UnsignedJws::new(payload, &attributes, KeySpec::P384);
        let signature: EcdsaSignature = self
            .key
            .try_sign(unsigned.signing_input())
            .map_err(|error| self.failed(&error))?;
        let envelope = unsigned.finish(&signature.to_bytes(), self.chain.certificates());
        Ok(Signature {
            envelope,
            annotations: BTreeMap::new(),
        })
    }
}

impl LocalKey {
    fn failed(&self, error: &p384::ecdsa::Error) -> SignError {
        SignError {
            class: Class::Internal,
            signer: format!("the local key of {}", subject(self.chain.leaf()).quote()),
            reason: error.to_string(),
            hint: None,
        }
    }
}

impl fmt::Debug for LocalKey {
    /// Names the chain; the key is never printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey")
            .field("leaf", &self.chain.leaf().thumbprint())
            .finish_non_exhaustive()
    }
}

/// Whether a certificate holds the public half of a key.
fn is_key_of(key: &SigningKey, leaf: &Certificate) -> Result<bool, LocalKeyError> {
    let malformed = |error: der::Error| CertificateError::Malformed(error.to_string());
    let parsed = x509_cert::Certificate::from_der(leaf.der()).map_err(malformed)?;
    let in_leaf = parsed.tbs_certificate().subject_public_key_info();
    let ours = key
        .verifying_key()
        .to_public_key_der()
        .map_err(|error| LocalKeyError::NotMade(error.to_string()))?;
    Ok(der::Encode::to_der(in_leaf).map_err(malformed)? == ours.as_bytes())
}

fn subject(certificate: &Certificate) -> Foreign {
    Foreign::new(certificate.subject().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
        KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    };

    use super::*;
    use crate::domain::notary::SealedEnvelope;
    use crate::domain::oci::{LayoutPath, Manifest, MediaType, Place, Subject};

    /// What `openssl ecparam -name secp384r1 -genkey` puts in front of a key.
    const EC_PARAMETERS: &str = "-----BEGIN EC PARAMETERS-----
BgUrgQQAIg==
-----END EC PARAMETERS-----
";

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn clock() -> Clock {
        Clock::Fixed(now())
    }

    fn payload() -> Payload {
        let bytes = br#"{"schemaVersion":2,"manifests":[]}"#.to_vec();
        let manifest = Manifest::parse(bytes, &MediaType::OCI_INDEX).unwrap();
        Payload::new(
            &Subject::of(Place::Layout(LayoutPath::new("x")), &manifest),
            &BTreeMap::new(),
        )
        .unwrap()
    }

    fn sign(key: &LocalKey) -> SealedEnvelope {
        let asked = payload();
        let signing = key.sign(&asked);
        let signed = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(signing)
            .unwrap();
        SealedEnvelope::seal(signed.envelope, &asked, &key.expected()).unwrap()
    }

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// A key, and a chain for it made by someone else's code.
    struct Given {
        key: KeyPair,
        leaf: String,
        root: String,
    }

    impl Given {
        fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
            let (root_key, key) = (p384_key(), p384_key());
            let mut root = params("root");
            root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let root_pem = root.self_signed(&root_key).unwrap().pem();
            let mut leaf = params("leaf");
            leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            change(&mut leaf);
            let issuer = Issuer::from_params(&root, &root_key);
            let leaf = leaf.signed_by(&key, &issuer).unwrap().pem();
            Self {
                key,
                leaf,
                root: root_pem,
            }
        }

        fn read(&self) -> Result<LocalKey, LocalKeyError> {
            let chain = format!("{}{}", self.leaf, self.root);
            LocalKey::read(self.key.serialize_pem().as_bytes(), chain.as_bytes(), clock())
        }
    }

    fn p384_key() -> KeyPair {
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 12, 31);
        params
    }

    #[test]
    fn a_made_key_is_found_again_and_its_envelopes_are_sealed() {
        let home = directory();
        let kept = home.path().join("state/countersign");
        let first = LocalKey::kept(&kept, clock()).unwrap();
        let second = LocalKey::kept(&kept, clock()).unwrap();
        assert_eq!(first.identity(), second.identity());
        assert_eq!((mode(&kept), mode(&kept.join("local-key.pem"))), (0o700, 0o600));
        let sealed = sign(&second);
        assert_eq!(sealed.intact().chain(), first.chain());
        assert_eq!(sealed.intact().signing_time(), Some(now()));
        assert_eq!(sealed.intact().expiry(), None);
        // The nonce is derived, so the same payload at the same time gives the same bytes.
        assert_eq!(sign(&first).envelope(), sealed.envelope());
    }

    #[test]
    fn a_made_chain_can_be_named_in_a_trust_policy_for_ten_years() {
        let home = directory();
        let key = LocalKey::kept(home.path(), clock()).unwrap();
        let subject = key.chain().leaf().subject().to_string();
        assert!(subject.starts_with("CN=countersign local key "), "{subject}");
        assert!(subject.ends_with(",O=countersign,ST=Local,C=XX"), "{subject}");
        assert_eq!(key.chain().certificates().len(), 2);
        for certificate in key.chain().certificates() {
            assert_eq!(certificate.not_before().to_string(), "2026-03-01T11:00:00Z");
            assert_eq!(certificate.not_after().to_string(), "2036-02-27T12:00:00Z");
        }
        let beyond_utc_time = directory();
        LocalKey::kept(
            beyond_utc_time.path(),
            Clock::Fixed("2049-06-01T00:00:00Z".parse().unwrap()),
        )
        .unwrap();
    }

    #[test]
    fn an_expiry_is_signed() {
        let home = directory();
        let key = LocalKey::kept(home.path(), clock()).unwrap().with_expiry(3_600);
        assert_eq!(sign(&key).intact().expiry(), Some(now().plus(3_600)));
    }

    #[test]
    fn first_runs_at_once_agree_on_one_key() {
        let home = directory();
        let kept = home.path().join("countersign");
        let leaves: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| LocalKey::kept(&kept, clock()).unwrap()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap().chain().leaf().thumbprint())
                .collect()
        });
        assert!(leaves.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_kept_key_that_others_may_read_is_refused() {
        let home = directory();
        LocalKey::kept(home.path(), clock()).unwrap();
        let key = home.path().join("local-key.pem");
        for open in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&key, fs::Permissions::from_mode(open)).unwrap();
            let error = LocalKey::kept(home.path(), clock()).unwrap_err();
            assert_eq!(
                error,
                LocalKeyError::Exposed {
                    path: key.display().to_string(),
                    mode: open
                }
            );
            assert!(
                error
                    .hint()
                    .unwrap()
                    .starts_with(&format!("chmod 600 {}", key.display()))
            );
        }
    }

    #[test]
    fn half_a_kept_key_is_completed_or_refused() {
        let home = directory();
        let first = LocalKey::kept(home.path(), clock()).unwrap();
        fs::write(
            home.path().join("local-key.draft"),
            "left by a process that was killed",
        )
        .unwrap();
        fs::remove_file(home.path().join("local-key.pem")).unwrap();
        let second = LocalKey::kept(home.path(), clock()).unwrap();
        assert_ne!(first.identity(), second.identity());
        assert!(!home.path().join("local-key.draft").exists());
        fs::remove_file(home.path().join("local-chain.pem")).unwrap();
        let error = LocalKey::kept(home.path(), clock()).unwrap_err();
        assert!(matches!(error, LocalKeyError::ChainLost { .. }), "{error}");
    }

    #[test]
    fn a_place_that_is_no_directory_is_refused_by_name() {
        let home = directory();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let error = LocalKey::kept(&file.join("x"), clock()).unwrap_err();
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    }

    #[test]
    fn a_given_key_and_chain_sign_too() {
        let given = Given::new(|_| {});
        let key = given.read().unwrap();
        assert_eq!(
            sign(&key).intact().chain().leaf().subject().to_string(),
            "CN=leaf"
        );
    }

    #[test]
    fn sec1_keys_are_read_behind_their_parameters() {
        let given = Given::new(|_| {});
        let secret = key_file::read(given.key.serialize_pem().as_bytes()).unwrap();
        let sec1 = p384::SecretKey::from(secret)
            .to_sec1_pem(der::pem::LineEnding::CRLF)
            .unwrap();
        let pem = format!("a note\r\n{EC_PARAMETERS}{}", sec1.as_str());
        let chain = format!("{}{}", given.leaf, given.root);
        assert!(LocalKey::read(pem.as_bytes(), chain.as_bytes(), clock()).is_ok());
    }

    #[test]
    fn keys_of_other_kinds_are_named() {
        let error = |pem: &str| {
            LocalKey::read(pem.as_bytes(), b"", clock())
                .unwrap_err()
                .to_string()
        };
        let other = |algorithm| KeyPair::generate_for(algorithm).unwrap().serialize_pem();
        let expected = "expected a P-384 private key (secp384r1), found ";
        assert_eq!(
            error(&other(&PKCS_ECDSA_P256_SHA256)),
            format!("{expected}a P-256 key")
        );
        assert_eq!(error(&other(&PKCS_ED25519)), format!("{expected}an Ed25519 key"));
        let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        assert_eq!(error(&block("RSA PRIVATE KEY")), format!("{expected}an RSA key"));
        assert_eq!(
            error(&block("ENCRYPTED PRIVATE KEY")),
            "expected a private key without a passphrase in the local key, found an encrypted one"
        );
        assert_eq!(
            error(&block("OPENSSH PRIVATE KEY")),
            "expected a private key in PEM in the local key, found a block \"OPENSSH PRIVATE KEY\""
        );
        assert_eq!(
            error(&Given::new(|_| {}).leaf),
            "expected a private key in PEM in the local key, found a block \"CERTIFICATE\""
        );
        assert_eq!(
            error(&block("PRIVATE KEY")),
            "expected a P-384 private key in PKCS #8 or SEC 1 form, found bytes that are neither"
        );
        assert_eq!(
            error("-----BEGIN PRIVATE KEY-----\nAAAA"),
            "expected a private key in PEM in the local key, found a block \"PRIVATE KEY\" without an end"
        );
    }

    #[test]
    fn each_fault_of_a_chain_is_said() {
        let given = Given::new(|_| {});
        let key = given.key.serialize_pem();
        let read = |chain: &str| LocalKey::read(key.as_bytes(), chain.as_bytes(), clock()).unwrap_err();
        assert!(matches!(
            read(""),
            LocalKeyError::Certificates(CertificateError::Empty)
        ));
        assert!(matches!(
            read(&given.leaf),
            LocalKeyError::Chain(ChainError::RootMissing { .. })
        ));
        let reversed = read(&format!("{}{}", given.root, given.leaf));
        assert!(
            matches!(reversed, LocalKeyError::Chain(ChainError::SelfSigned { .. })),
            "{reversed:?}"
        );
        let other = Given::new(|_| {});
        assert_eq!(
            read(&format!("{}{}", other.leaf, other.root)).to_string(),
            "expected the first certificate of the local chain to hold the local key, found that of \"CN=leaf\""
        );
        let tls = Given::new(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
        assert!(matches!(
            tls.read(),
            Err(LocalKeyError::Chain(ChainError::Role { .. }))
        ));
        let early = Given::new(|leaf| leaf.not_before = rcgen::date_time_ymd(2026, 6, 1))
            .read()
            .unwrap_err();
        let late = Given::new(|leaf| leaf.not_after = rcgen::date_time_ymd(2026, 2, 1))
            .read()
            .unwrap_err();
        assert_eq!(
            late.to_string(),
            "expected certificates valid at 2026-03-01T12:00:00Z, found \"CN=leaf\" valid from 2026-01-01T00:00:00Z \
             until 2026-02-01T00:00:00Z"
        );
        assert!(late.hint().unwrap().contains("issued"));
        assert!(early.hint().unwrap().contains("clock"));
    }

    #[test]
    fn the_key_is_never_printed() {
        let home = directory();
        let key = LocalKey::kept(home.path(), clock()).unwrap();
        let pem = fs::read_to_string(home.path().join("local-key.pem")).unwrap();
        let secret = key.key.to_bytes();
        let printed = format!("{key:?} {key:#?} {:?}", key.identity());
        assert!(!printed.contains(pem.lines().nth(1).unwrap()));
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
        };
        assert!(!printed.contains(&hex(&secret[..8])));
        assert!(!printed.contains(&format!("{:?}", &secret[..4])));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..200)) {
            let _ = key_file::read(&bytes);
            let mut block = b"-----BEGIN PRIVATE KEY-----\n".to_vec();
            block.extend(&bytes);
            block.extend(b"-----END PRIVATE KEY-----");
            let _ = key_file::read(&block);
        }
    }
}
