//! Step 2, name: texts become targets, in the order given, each with where it was named.

use super::Target;
use crate::base::failure::{Class, Classified};
use crate::domain::handoff::{self, HandoffError, Named};

/// Why a text does not name images.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read {place}")]
pub struct NameError {
    /// Where the text stood: `--images`, `INPUT_IMAGES`, …
    pub place: String,
    /// Why.
    #[source]
    pub problem: NameProblem,
}

/// What is wrong with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// It names nothing.
    #[error("expected an image, found nothing but blanks and comments")]
    Nothing,
    /// It is not what names images.
    #[error(transparent)]
    Unreadable(#[from] HandoffError),
}

impl Classified for NameError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match &self.problem {
            NameProblem::Nothing => None,
            NameProblem::Unreadable(problem) => problem.hint(),
        }
    }
}

/// Reads texts, each with the place where it stood.
///
/// # Errors
/// [`NameError`] for the first text that names nothing or cannot be read.
pub fn name_targets<'a>(
    texts: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Target>, NameError> {
    let mut targets = Vec::new();
    for (place, text) in texts {
        let named = read(place, text)?;
        let several = named.len() > 1;
        targets.extend(named.into_iter().map(|named| Target {
            image: named.image,
            named: named.text,
            named_at: if several {
                format!("{place}:{}", named.line)
            } else {
                place.to_owned()
            },
        }));
    }
    Ok(targets)
}

/// Reads one text that must name something.
pub(super) fn read(place: &str, text: &str) -> Result<Vec<Named>, NameError> {
    let refused = |problem| NameError {
        place: place.to_owned(),
        problem,
    };
    let named = handoff::read(text).map_err(|problem| refused(problem.into()))?;
    if named.is_empty() {
        return Err(refused(NameProblem::Nothing));
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Cause;

    #[test]
    fn targets_keep_their_order_and_know_their_place() {
        let targets = name_targets([
            ("INPUT_IMAGES", "r.example/b\nr.example/a"),
            ("--images", "oci:x:1"),
        ])
        .unwrap();
        let places: Vec<_> = targets
            .iter()
            .map(|target| (target.named.as_str(), target.named_at.as_str()))
            .collect();
        assert_eq!(
            places,
            [
                ("r.example/b", "INPUT_IMAGES:1"),
                ("r.example/a", "INPUT_IMAGES:2"),
                ("oci:x:1", "--images")
            ]
        );
    }

    #[test]
    fn errors_say_where_the_text_stood() {
        let message = |text: &str| Cause::of(&name_targets([("--images", text)]).unwrap_err()).message;
        assert_eq!(
            message("web:1"),
            "could not read --images: expected a registry host in front of the repository, found \"web:1\""
        );
        assert_eq!(
            message("# x"),
            "could not read --images: expected an image, found nothing but blanks and comments"
        );
    }
}
