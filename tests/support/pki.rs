//! Keys and certificates of the small world: a signing authority like AWS Signer's, good and bad, and a TLS identity.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384,
};
use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A chain of four P-384 certificates, leaf first, root last, and the leaf's key.
pub struct SigningChain {
    /// DER, leaf first.
    pub certificates: Vec<Vec<u8>>,
    key: EcdsaKeyPair,
}

/// How long the certificates of a chain live, in days around now.
#[derive(Clone, Copy, Debug)]
pub struct LeafLife {
    /// Days before now at which the leaf begins.
    pub from_days: i64,
    /// Days after now at which the leaf ends; negative is past.
    pub to_days: i64,
}

impl LeafLife {
    /// As the service makes them: three days.
    pub const DAYS: Self = Self {
        from_days: 1,
        to_days: 2,
    };
    /// Ran out yesterday, signed today.
    pub const OVER: Self = Self {
        from_days: 4,
        to_days: -1,
    };
}

/// A signing authority: root and two levels of CA below it.
pub struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
    regional: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority of the names that AWS uses, for a region.
    pub fn new(region: &str) -> Self {
        let root =
            CertifiedIssuer::self_signed(ca("AWS Signer Code Signing Root CA G1", 36_500, 2), key()).unwrap();
        let below = |name: &str, days, path, above: &CertifiedIssuer<'static, KeyPair>| {
            CertifiedIssuer::signed_by(ca(name, days, path), key(), above).unwrap()
        };
        let intermediate = below("AWS Signer Code Signing Int CA G1", 1_800, 1, &root);
        let regional = below(
            &format!("AWS Signer {region} Code Signing CA G1"),
            365,
            0,
            &intermediate,
        );
        Self {
            root,
            intermediate,
            regional,
        }
    }

    /// The root, DER.
    pub fn root(&self) -> &[u8] {
        self.root.der()
    }

    /// The root, PEM: what goes into a trust store.
    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// A fresh leaf and its chain.
    pub fn issue(&self, life: LeafLife) -> SigningChain {
        let mut params = CertificateParams::default();
        let now = OffsetDateTime::now_utc();
        params.not_before = now - Duration::days(life.from_days);
        params.not_after = now + Duration::days(life.to_days);
        params.distinguished_name = leaf_name();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let leaf_key = key();
        let leaf = params.signed_by(&leaf_key, &self.regional).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &leaf_key.serialize_der()).unwrap();
        let chain: [&[u8]; 4] = [
            leaf.der(),
            self.regional.der(),
            self.intermediate.der(),
            self.root.der(),
        ];
        SigningChain {
            certificates: chain.into_iter().map(<[u8]>::to_vec).collect(),
            key,
        }
    }
}

impl SigningChain {
    /// ES384: r and s of 48 bytes each.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key
            .sign(&SystemRandom::new(), message)
            .unwrap()
            .as_ref()
            .to_vec()
    }
}

/// A certificate authority for servers of the world.
pub struct TlsAuthority(CertifiedIssuer<'static, KeyPair>);

impl TlsAuthority {
    /// Makes one.
    pub fn new() -> Self {
        Self(CertifiedIssuer::self_signed(ca("The small world", 1, 0), key()).unwrap())
    }

    /// The root, PEM: what goes into `SSL_CERT_FILE`.
    pub fn root_pem(&self) -> String {
        self.0.pem()
    }

    /// An identity for a server of these names.
    pub fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let now = OffsetDateTime::now_utc();
        params.not_before = now - Duration::days(1);
        params.not_after = now + Duration::days(1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = key();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let private = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private.into())
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl Default for TlsAuthority {
    fn default() -> Self {
        Self::new()
    }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

fn ca(name: &str, days: i64, path_length: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(400);
    params.not_after = now + Duration::days(days);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "AWS");
    params.distinguished_name.push(DnType::CountryName, "US");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    params
}

fn leaf_name() -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, text) in [
        (DnType::CommonName, "AWS Signer"),
        (DnType::OrganizationalUnitName, "AWS Cryptography"),
        (DnType::OrganizationName, "AWS"),
        (DnType::LocalityName, "Seattle"),
        (DnType::StateOrProvinceName, "WA"),
        (DnType::CountryName, "US"),
    ] {
        name.push(kind, text);
    }
    name
}
