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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::chain;
    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    }

    #[test]
    fn pem_and_der_files_hold_one_or_many() {
        let certificates = chain().certificates;
        let der: Vec<u8> = certificates
            .iter()
            .flat_map(|certificate| certificate.der().to_vec())
            .collect();
        assert_eq!(read_certificates(&der).unwrap(), certificates);
        let blocks: String = certificates
            .iter()
            .map(|certificate| pem("CERTIFICATE", certificate.der()))
            .collect();
        let text = format!("Issued by hand\n{blocks}\ntrailing words");
        assert_eq!(read_certificates(text.as_bytes()).unwrap(), certificates);
        assert_eq!(
            read_certificates(text.replace('\n', "\r\n").as_bytes()).unwrap(),
            certificates
        );
    }

    #[test]
    fn other_blocks_and_broken_ones_are_named_by_line() {
        let certificate = chain().certificates.remove(0);
        let text = pem("CERTIFICATE", certificate.der()) + &pem("EC PRIVATE KEY", b"secret");
        let error = read_certificates(text.as_bytes()).unwrap_err();
        assert_eq!(
            error,
            CertificateError::Block {
                line: 4,
                label: Foreign::new("EC PRIVATE KEY")
            }
        );
        assert!(!format!("{error}{error:?}").contains(&STANDARD.encode("secret")));
        let unfinished = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert_eq!(
            read_certificates(unfinished.as_bytes()).unwrap_err().to_string(),
            "line 1: expected -----END CERTIFICATE----- in the block that begins here"
        );
        let not_base64 = "\n-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----";
        assert_eq!(
            read_certificates(not_base64.as_bytes()),
            Err(CertificateError::Pem {
                line: 2,
                expected: "base64"
            })
        );
        let second = pem("CERTIFICATE", certificate.der()) + &pem("CERTIFICATE", b"0");
        assert!(matches!(
            read_certificates(second.as_bytes()),
            Err(CertificateError::Numbered { number: 2, .. })
        ));
    }

    #[test]
    fn nothing_and_too_much_are_errors() {
        assert_eq!(read_certificates(b""), Err(CertificateError::Empty));
        assert_eq!(
            read_certificates(&vec![b' '; FILE_BYTES + 1]),
            Err(CertificateError::TooLarge {
                limit: FILE_BYTES,
                found: FILE_BYTES + 1
            })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_certificates(&bytes);
        }

        #[test]
        fn no_text_panics(text in "(-----BEGIN |-----END |CERTIFICATE|-----|\n|[A-Za-z0-9+/=]{4}){0,20}") {
            let _ = read_certificates(text.as_bytes());
        }
    }
}
