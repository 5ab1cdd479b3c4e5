//! What each request is for.

/// Service, operation, and what it is for.
const PURPOSES: &[(&str, &str, &str)] = &[
    ("oidc", "GET token", "the identity token of the job"),
    ("oidc", "GET configuration", "where the issuer's keys are"),
    (
        "oidc",
        "GET keys",
        "the keys that the token's claims are checked with",
    ),
    ("sts", "AssumeRoleWithWebIdentity", "credentials for the role"),
    ("ecr", "GetAuthorizationToken", "a login for the registry"),
    ("ecr", "BatchGetImage", "a hundred manifests at once"),
    ("registry", "GET base", "a connection ahead of need"),
    (
        "registry",
        "GET manifest",
        "the image, and signatures and attestation read back",
    ),
    (
        "registry",
        "GET referrers",
        "what stands beside the image and beside its attestation, before and after",
    ),
    (
        "signer",
        "SignPayload",
        "one signature each for the image and its attestation",
    ),
    ("registry", "POST upload", "an upload session for each blob"),
    (
        "registry",
        "PUT blob",
        "envelopes, statement, and the empty config",
    ),
    (
        "registry",
        "PUT manifest",
        "two signature manifests and the attestation's",
    ),
    ("registry", "HEAD blob", "whether a blob is there already"),
    ("registry", "GET blob", "envelopes and statement read back"),
    (
        "storage",
        "GET object",
        "the same, behind the registry's redirect",
    ),
    (
        "signer-data",
        "GetRevocationStatus",
        "whether profile, job or certificate is revoked",
    ),
    ("signer", "GetSigningProfile", "the state of the profile"),
];

/// What an operation of a service is for.
pub(crate) fn purpose(service: &str, operation: &str) -> &'static str {
    let known = PURPOSES
        .iter()
        .find(|(of, asked, _)| *of == service && *asked == operation);
    known.map_or("? (not in the table of this bench)", |(_, _, what)| what)
}
