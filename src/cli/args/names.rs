//! Lists of names: what is still to come, and what no file or variable may set unseen.

/// Commands of the contract that are not built yet: named, they are refused in plain words.
pub(in crate::cli) const LATER_COMMANDS: [&str; 7] =
    ["report", "doctor", "iam", "init", "profile", "revoke", "policy"];

/// Inputs of the contract that are not built yet, and the commands that will take them.
pub(in crate::cli) const LATER_INPUTS: &[(&[&str], &[&str])] =
    &[(&["run"], &["mode"]), (&["verify"], &["blob", "signature"])];

/// Inputs that grant authority: refused in a configuration file, and named in the plan where a variable gave them.
pub(in crate::cli) const AUTHORITY: &[&str] = &[
    "allow",
    "allowed-account-ids",
    "attest",
    "audience",
    "builder-id",
    "expect",
    "external-id",
    "fail-on",
    "id-token",
    "lift-buildkit",
    "local-chain",
    "local-key",
    "metadata",
    "minimum-build-level",
    "mode",
    "overrides",
    "plain-http",
    "region",
    "registry-password-from",
    "registry-username",
    "repository",
    "require-binding",
    "role-arn",
    "role-chain",
    "role-duration",
    "role-session-name",
    "session-policy",
    "signer",
    "signing-profile",
    "source",
    "token-issuer",
    "trust-policy",
    "trust-store",
    "untrusted",
];

/// Inputs that say what is acted on or where more is to be read: a file may not set them either.
pub(in crate::cli) const TYPED_ONLY: &[&str] = &[
    "blob",
    "command",
    "config",
    "digest",
    "images",
    "images-format",
    "images-from",
    "names",
    "signature",
];
