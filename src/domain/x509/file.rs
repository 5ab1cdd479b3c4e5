//! Certificate files: PEM or DER, one certificate or many.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::{Reader as _, SliceReader};

use super::certificate::{Certificate, CertificateError};
use crate::base::foreign::Foreign;
use crate::base::limits::MEBIBYTE;

/// Largest certificate file (ours; the bundle of all public web roots is 220 KB).
const FILE_BYTES: usize = MEBIBYTE;

/// Reads the certificates of a file: CERTIFICATE blocks in PEM (RFC 7468) with any text around them, or DER
/// certificates one after the other.
///
/// # Errors
/// [`CertificateError`]; a file without certificates and one with any other PEM block are errors too.
pub fn read_certificates(bytes: &[u8]) -> Result<Vec<Certificate>, CertificateError> {
    if bytes.len() > FILE_BYTES {
        return Err(CertificateError::TooLarge {
            limit: FILE_BYTES,
            found: bytes.len(),
        });
    }
    if bytes.is_empty() {
        return Err(CertificateError::Empty);
    }
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.contains("-----BEGIN "));
    let ders = match text {
        Some(text) => pem_blocks(text)?,
        None => der_values(bytes)?,
    };
    let numbered = |(index, der): (usize, Vec<u8>)| {
        Certificate::from_der(&der).map_err(|source| CertificateError::Numbered {
            number: index + 1,
            source: Box::new(source),
        })
    };
    ders.into_iter().enumerate().map(numbered).collect()
}

/// The DER values that stand one after the other.
fn der_values(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let malformed = |error: der::Error| CertificateError::Malformed(error.to_string());
    let mut reader = SliceReader::new(bytes).map_err(malformed)?;
    let mut values = Vec::new();
    while !reader.is_finished() {
        values.push(reader.tlv_bytes().map_err(malformed)?.to_vec());
    }
    Ok(values)
}

/// The contents of the CERTIFICATE blocks of a PEM text.
fn pem_blocks(text: &str) -> Result<Vec<Vec<u8>>, CertificateError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()));
    let mut blocks = Vec::new();
    while let Some((line, boundary)) = lines.next() {
        let Some(label) = boundary
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        if label != "CERTIFICATE" {
            return Err(CertificateError::Block {
                line,
                label: Foreign::new(label),
            });
        }
        let mut base64 = String::new();
        loop {
            match lines.next() {
                Some((_, "-----END CERTIFICATE-----")) => break,
                Some((_, content)) if !content.starts_with("-----") => base64.push_str(content),
                _ => {
                    return Err(CertificateError::Pem {
                        line,
                        expected: "-----END CERTIFICATE-----",
                    });
                }
            }
        }
        let der = STANDARD.decode(base64).map_err(|_| CertificateError::Pem {
            line,
            expected: "base64",
        })?;
        blocks.push(der);
    }
    if blocks.is_empty() {
        Err(CertificateError::Empty)
    } else {
        Ok(blocks)
    }
}
