//! The allow-list: given, or the ECR registries of the account that the inputs name.

use std::collections::BTreeSet;

use crate::base::failure::{Cause, Class};
use crate::base::foreign::quote;
use crate::cli::{ImageKind, Origins, RunSettings};
use crate::domain::oci::{Place, Repository};
use crate::domain::plan::{AllowList, Glob};
use crate::edge::aws::ecr::EcrHost;
use crate::edge::aws::profile::ProfileName;
use crate::job::Target;

/// Checks every name; nobody was asked anything yet.
pub(super) fn check(
    settings: &RunSettings,
    origins: &Origins,
    profile: Option<&ProfileName>,
    targets: &[Target],
) -> Result<(), Cause> {
    let repositories: Vec<(&Repository, &str)> = targets.iter().filter_map(named).collect();
    files(settings, origins, &repositories)?;
    if repositories.is_empty() {
        return Ok(());
    }
    let list = if settings.allow.is_empty() {
        default(settings, origins, profile, &repositories)?
    } else {
        given(&settings.allow)?
    };
    let checked = repositories
        .iter()
        .try_for_each(|(repository, named_at)| list.check(repository, named_at));
    checked.map_err(|error| Cause {
        hint: Some(to_add(settings, origins, [error.repository.clone()])),
        ..Cause::of(&error)
    })
}

/// Refuses files that name images where nothing says which images may be signed, with the line that would say it.
fn files(settings: &RunSettings, origins: &Origins, named: &[(&Repository, &str)]) -> Result<(), Cause> {
    let images = &settings.asked.images;
    let file = images.iter().find(|image| image.kind == ImageKind::File);
    let Some(file) = file.filter(|_| settings.allow.is_empty()) else {
        return Ok(());
    };
    let repositories: BTreeSet<String> = named
        .iter()
        .map(|(repository, _)| repository.to_string())
        .collect();
    Err(Cause {
        class: Class::Usage,
        message: format!(
            "expected {} for what {} names, found none: an earlier step may have written it",
            origins.spell("allow"),
            quote(&file.text)
        ),
        hint: Some(match repositories.len() {
            0 => "name layouts with images, not in a file".to_owned(),
            _ => to_add(settings, origins, repositories),
        }),
    })
}

/// Patterns in one line to add (ours); a file that names more is better answered by a pattern with a star.
const PATTERNS: usize = 10;

/// What to do where repositories are meant to be signed: the line to add.
fn to_add(
    settings: &RunSettings,
    origins: &Origins,
    repositories: impl IntoIterator<Item = String>,
) -> String {
    let mut patterns: Vec<String> = repositories.into_iter().collect();
    let more = patterns.len().saturating_sub(PATTERNS);
    patterns.truncate(PATTERNS);
    let line = origins.adding("allow", &settings.allow, &patterns);
    match more {
        0 => format!("where it is meant to be signed, {line}"),
        more => format!("where they are meant to be signed, {line} and {more} more"),
    }
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
    origins: &Origins,
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
            hint: Some(to_add(settings, origins, [first.to_string()])),
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
