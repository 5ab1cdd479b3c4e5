//! What the build service itself recorded of the build; else what the environment says.

use super::claimed::Fallback;
use crate::base::failure::{Cause, in_full};
use crate::domain::provenance::Account;
use crate::edge::aws::builds::BuildRecords;

/// Asks for the record of a build. Where there is none to be had the environment speaks; a build that is over is an error.
pub(super) async fn account(
    records: BuildRecords,
    build: String,
    fallback: Fallback,
) -> Result<Account, Cause> {
    match records.of(&build).await {
        Ok(record) => match fallback.host.recorded(&fallback.environment, &record) {
            Some(account) => Ok(account),
            None => fallback.account("the service's record of the build names no commit of a Git repository"),
        },
        Err(error) if error.is_silence() => fallback.account(&in_full(&error)),
        Err(error) => Err(Cause::of(&error)),
    }
}
