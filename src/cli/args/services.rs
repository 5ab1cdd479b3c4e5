//! AWS and registries.

use clap::Args;

use crate::base::arn::RoleArn;
use crate::cli::words::{Overrides, SessionPolicy, Span};
use crate::domain::oci::RegistryHost;

/// AWS and registries.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServiceArgs {
    #[command(flatten)]
    pub(in crate::cli) aws: AwsArgs,
    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

/// Who we are to AWS.
#[derive(Debug, Args)]
pub(in crate::cli) struct AwsArgs {
    /// The role to assume, with the identity token of the CI job where there is one
    #[arg(long, value_name = "ARN", help_heading = "AWS")]
    pub(in crate::cli) role_arn: Option<RoleArn>,
    /// Roles to assume after that one, in this order
    #[arg(long, value_name = "ARN", help_heading = "AWS")]
    pub(in crate::cli) role_chain: Vec<RoleArn>,
    /// The session's name, as audit logs show it; default: made from the CI job
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(in crate::cli) role_session_name: Option<String>,
    /// How long the credentials live, 15 minutes at least
    #[arg(long, value_name = "DURATION", default_value = "900s", help_heading = "AWS")]
    pub(in crate::cli) role_duration: Span,
    /// The external id that the last role of a chain asks for
    #[arg(long, value_name = "ID", help_heading = "AWS")]
    pub(in crate::cli) external_id: Option<String>,
    /// The audience of the identity token; default: `sts.amazonaws.com`, in China `sts.amazonaws.com.cn`
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(in crate::cli) audience: Option<String>,
    /// Name of the variable, or file, that holds the identity token on hosts other than GitHub; default: `AWS_ID_TOKEN`
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(in crate::cli) id_token: Option<String>,
    /// Who issues the identity token, as its `iss` has it, on a server of your own (GitHub Enterprise Server, GitLab)
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub(in crate::cli) token_issuer: Option<String>,
    /// The AWS region; default: from the profile's ARN, then `AWS_REGION`, then the first ECR registry
    #[arg(long, value_name = "REGION", help_heading = "AWS")]
    pub(in crate::cli) region: Option<String>,
    /// Accounts that may act; credentials of any other are refused
    #[arg(long, value_name = "ACCOUNT", help_heading = "AWS")]
    pub(in crate::cli) allowed_account_ids: Vec<String>,
    /// Whether the session is narrowed to what the targets need; `auto` is not available yet
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "off",
        help_heading = "AWS"
    )]
    pub(in crate::cli) session_policy: SessionPolicy,
    /// Endpoints, certificates and proxies that the environment sets: name them in the report, or refuse them
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "report",
        help_heading = "AWS"
    )]
    pub(in crate::cli) overrides: Overrides,
}

/// How registries are spoken to.
#[derive(Debug, Args)]
pub(in crate::cli) struct RegistryArgs {
    /// User for registries that are not ECR; default: Docker's configuration file
    #[arg(long, value_name = "NAME", help_heading = "Registries")]
    pub(in crate::cli) registry_username: Option<String>,
    /// Name of the variable, or file, that holds that user's password
    #[arg(long, value_name = "NAME", help_heading = "Registries")]
    pub(in crate::cli) registry_password_from: Option<String>,
    /// Registries spoken to without TLS; this machine's own are anyway
    #[arg(long, value_name = "HOST", help_heading = "Registries")]
    pub(in crate::cli) plain_http: Vec<RegistryHost>,
    /// Longest time for one request
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        help_heading = "Registries"
    )]
    pub(in crate::cli) request_timeout: Span,
}
