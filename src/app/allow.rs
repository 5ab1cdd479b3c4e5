//! The allow-list: given, or the ECR registries of the account that the inputs name.

use std::collections::BTreeSet;

use crate::base::failure::{Cause, Class};
use crate::cli::RunSettings;
use crate::domain::oci::{Place, Repository};
use crate::domain::plan::{AllowList, Glob};
use crate::edge::aws::ecr::EcrHost;
use crate::edge::aws::profile::ProfileName;
use crate::job::Target;

/// Checks every name; nobody was asked anything yet.
pub(super) fn check(
    settings: &RunSettings,
    profile: Option<&ProfileName>,
    targets: &[Target],
) -> Result<(), Cause> {
    let repositories: Vec<(&Repository, &str)> = targets.iter().filter_map(named).collect();
    if repositories.is_empty() {
        return Ok(());
    }
    let list = if settings.allow.is_empty() {
        default(settings, profile, &repositories)?
    } else {
        given(&settings.allow)?
    };
    let checked = repositories
        .iter()
        .try_for_each(|(repository, named_at)| list.check(repository, named_at));
    checked.map_err(|error| Cause::of(&error))
}

fn named(target: &Target) -> Option<(&Repository, &str)> {
    match target.image.place() {
        Place::Repository(repository) => Some((repository, &target.named_at)),
        Place::Layout(_) => None,
    }
}

fn given(globs: &[String]) -> Result<AllowList, Cause> {
    let read = globs.iter().map(|glob| glob.parse());
    let read: Vec<Glob> = read.collect::<Result<_, _>>().map_err(|error| {
        let cause = Cause::of(&error);
        Cause {
            message: format!("could not read allow: {}", cause.message),
            ..cause
        }
    })?;
    Ok(AllowList::new(read, globs.join(", ")))
}

/// The registries of the account in the last role, else in the profile's ARN.
fn default(
    settings: &RunSettings,
    profile: Option<&ProfileName>,
    repositories: &[(&Repository, &str)],
) -> Result<AllowList, Cause> {
    let role = settings
        .asked
        .services
        .aws
        .roles
        .first()
        .map(|role| &role.arn().account);
    let profile = || profile.and_then(ProfileName::arn).map(|arn| &arn.arn().account);
    let Some(account) = role.or_else(profile) else {
        let (first, named_at) = repositories.first().ok_or_else(|| super::bug("no repository"))?;
        return Err(Cause {
            class: Class::Usage,
            message: format!(
                "expected allow for {first}, named by {named_at}: neither role-arn nor the ARN of a signing profile \
                 names an account"
            ),
            hint: Some(format!("where it is meant to be signed, add --allow '{first}'")),
        });
    };
    let own = |repository: &&Repository| match EcrHost::of(repository.host()) {
        Some(EcrHost::Private(registry)) => registry.account() == account,
        Some(EcrHost::Public) | None => false,
    };
    let hosts: BTreeSet<_> = repositories
        .iter()
        .map(|(repository, _)| *repository)
        .filter(own)
        .map(Repository::host)
        .collect();
    let globs = hosts.into_iter().map(|host| format!("{host}/**").parse());
    let globs = globs
        .collect::<Result<_, _>>()
        .map_err(|error| Cause::of(&error))?;
    let words = format!("the ECR registries of the account {account} (the default)");
    Ok(AllowList::new(globs, words))
}
