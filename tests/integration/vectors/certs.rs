//! Certificates, chains and certificate files.

use countersign::domain::x509::{
    Certificate, Chain, Purpose, Role, check_chain, paired_hashes, read_certificates,
};

use super::{Case, Judged};

/// Judges the kinds of this module.
pub(super) fn judge(case: &Case) -> Option<Judged> {
    Some(match case.kind.as_str() {
        "cert-chain" => chain(case),
        "cert-role" => role(case),
        "cert-file" => file(case),
        "cert-fingerprint" => fingerprint(case),
        "aws-cert-hash" => hashes(case),
        _ => return None,
    })
}

fn purpose(case: &Case) -> Purpose {
    match case.text("purpose") {
        "codesigning" => Purpose::CodeSigning,
        "timestamping" => Purpose::Timestamping,
        other => panic!("purpose {other}"),
    }
}

fn chain(case: &Case) -> Judged {
    let certificates = match read_certificates(&case.bytes("chain")) {
        Ok(certificates) => certificates,
        Err(error) => return Judged::reject(error),
    };
    if purpose(case) == Purpose::Timestamping {
        return Judged::of(check_chain(&certificates, Purpose::Timestamping));
    }
    let judged = Chain::code_signing(certificates).and_then(|chain| match case.time("signing_time") {
        Some(moment) => chain.valid_at(moment),
        None => Ok(()),
    });
    Judged::of(judged)
}

fn role(case: &Case) -> Judged {
    let certificate = match single(case) {
        Ok(certificate) => certificate,
        Err(judged) => return judged,
    };
    let role = match case.text("role") {
        "leaf" => Role::Leaf,
        "ca" => Role::Ca {
            below: case
                .input("expected_path_len")
                .as_u64()
                .expect("a count")
                .try_into()
                .expect("a small count"),
        },
        other => panic!("role {other}"),
    };
    Judged::of(certificate.check_role(purpose(case), role))
}

fn file(case: &Case) -> Judged {
    match read_certificates(&case.bytes("certificate_file")) {
        Ok(certificates) => Judged::accept().with("certificates", certificates.len()),
        Err(error) => Judged::reject(error),
    }
}

fn fingerprint(case: &Case) -> Judged {
    let certificate = match single(case) {
        Ok(certificate) => certificate,
        Err(judged) => return judged,
    };
    Judged::accept()
        .with("sha256", certificate.thumbprint().to_string())
        .with("subject_rfc4514_go", certificate.subject().to_string())
        .with("serial_hex", certificate.serial())
        .with("not_before", certificate.not_before().to_string())
        .with("not_after", certificate.not_after().to_string())
        .with(
            "key_spec",
            certificate
                .key_spec()
                .map_or_else(|error| error.to_string(), |spec| spec.to_string()),
        )
}

fn hashes(case: &Case) -> Judged {
    match read_certificates(&case.bytes("chain")) {
        Ok(certificates) => Judged::accept().with("certificate_hashes", paired_hashes(&certificates)),
        Err(error) => Judged::reject(error),
    }
}

/// The one certificate of the case.
fn single(case: &Case) -> Result<Certificate, Judged> {
    let certificates = read_certificates(&case.bytes("certificate")).map_err(Judged::reject)?;
    match <[Certificate; 1]>::try_from(certificates) {
        Ok([certificate]) => Ok(certificate),
        Err(others) => Err(Judged::reject(format!("{} certificates", others.len()))),
    }
}
