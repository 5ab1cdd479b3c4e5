//! A small public key infrastructure for tests: chains made on the spot, good ones and bad ones.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384,
};

use super::certificate::Certificate;

/// Certificates, leaf first, and the private key of the leaf.
pub(crate) struct Issued {
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) leaf_key: KeyPair,
}

impl Issued {
    /// Signs as JWS does with ES384: `r || s`.
    pub(crate) fn sign_es384(&self, message: &[u8]) -> Vec<u8> {
        use p384::ecdsa::signature::Signer as _;
        use p384::pkcs8::DecodePrivateKey as _;
        let key = p384::ecdsa::SigningKey::from_pkcs8_der(&self.leaf_key.serialize_der()).unwrap();
        let signature: p384::ecdsa::Signature = key.sign(message);
        signature.to_bytes().to_vec()
    }
}

/// A chain of leaf, intermediate and root on P-384, valid from 2020 to 2040.
pub(crate) fn chain() -> Issued {
    chain_with(|_, _| {})
}

/// The same chain, with the parameters of the certificates changed: 0 is the leaf, 2 the root.
pub(crate) fn chain_with(change: impl Fn(usize, &mut CertificateParams)) -> Issued {
    let params: Vec<CertificateParams> = (0..3)
        .map(|index| {
            let mut params = params(index);
            change(index, &mut params);
            params
        })
        .collect();
    let keys: Vec<KeyPair> = (0..3)
        .map(|_| KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap())
        .collect();
    let certificates = (0..3).map(|index| {
        let issuer = (index + 1).min(2);
        let issuer = Issuer::from_params(&params[issuer], &keys[issuer]);
        let certificate = params[index].signed_by(&keys[index], &issuer).unwrap();
        Certificate::from_der(certificate.der()).unwrap()
    });
    Issued {
        certificates: certificates.collect(),
        leaf_key: keys.into_iter().next().unwrap(),
    }
}

fn params(index: usize) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(["Test Signer", "Test Issuing CA", "Test Root CA"][index]);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    if index == 0 {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    } else {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    }
    params
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "US");
    name.push(DnType::StateOrProvinceName, "WA");
    name.push(DnType::OrganizationName, "Test");
    name.push(DnType::CommonName, common);
    name
}
