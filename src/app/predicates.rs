//! Files that hold documents to be attested.

use std::path::Path;

use super::Scene;
use crate::base::failure::{Cause, Class};
use crate::base::limits::STATEMENT_BYTES;
use crate::domain::provenance::{Predicate, PredicateChoice, distinct};
use crate::edge::ci::{Found, Room};

/// Reads and checks every file; nobody was asked anything yet.
pub(super) fn read(choices: &[PredicateChoice], scene: &Scene<'_>) -> Result<Vec<Predicate>, Cause> {
    let room = Room::of(scene.host, scene.environment);
    let read = choices.iter().map(|choice| one(choice, &room));
    let read: Vec<Predicate> = read.collect::<Result<_, _>>()?;
    distinct(&read).map_err(|error| Cause::of(&error))?;
    Ok(read)
}

fn one(choice: &PredicateChoice, room: &Room) -> Result<Predicate, Cause> {
    let found = room.read(Path::new(choice.file()), STATEMENT_BYTES);
    match found.map_err(|error| Cause::of(&error))? {
        Found::File(bytes, _) => Predicate::read(choice.clone(), &bytes).map_err(|error| Cause::of(&error)),
        Found::Directory(_) => Err(Cause {
            class: Class::Usage,
            message: format!(
                "could not attest {} as {}: expected a file, found a directory",
                choice.file(),
                choice.name()
            ),
            hint: None,
        }),
    }
}
