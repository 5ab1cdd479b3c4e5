//! Small words that only a command line knows: durations, pairs, choices.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use crate::base::time::{DurationError, parse_duration};
use crate::job::HandoffFormat;

/// A hand-off format by id or name.
pub(super) fn images_format(text: &str) -> Result<&'static HandoffFormat, String> {
    let format: Result<&'static HandoffFormat, _> = text.parse();
    format.map_err(|error| error.to_string())
}

/// A duration: a number and a unit, as `500ms`, `30s`, `10m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(pub(super) Duration);

impl FromStr for Span {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        parse_duration(text).map(Self)
    }
}

/// One `key=value` pair, split at the first `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// What stands before the first `=`; not empty.
    pub(super) key: String,
    /// What stands behind it.
    pub(super) value: String,
}

/// A text that is no pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected key=value")]
pub(super) struct PairError;

impl FromStr for Pair {
    type Err = PairError;

    fn from_str(text: &str) -> Result<Self, PairError> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok(Self {
                key: key.trim().to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(PairError),
        }
    }
}

/// How many at once: 1 to 256 (ours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(pub(super) usize);

/// A text that is no count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole number from 1 to 256")]
pub(super) struct CountError;

impl FromStr for Count {
    type Err = CountError;

    fn from_str(text: &str) -> Result<Self, CountError> {
        let number = text.parse().ok().filter(|number| (1..=256).contains(number));
        number.map(Self).ok_or(CountError)
    }
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SignerKind {
    /// A signing profile of AWS Signer.
    Aws,
    /// A key file, or a CA made once on this machine.
    Local,
}

/// What is done on an event that may not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Untrusted {
    /// Sign nothing, say so, end in 0.
    Skip,
    /// Refuse: end in 4.
    Refuse,
}

/// Whether provenance is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProvenanceMode {
    /// Attach SLSA provenance and sign it.
    Auto,
    /// Sign the image only.
    Off,
}

/// Whether a role's session is narrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SessionPolicy {
    /// To what the targets need (not available yet).
    Auto,
    /// It has what the role has.
    Off,
}

/// What becomes of overrides found in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Overrides {
    /// They are used and named in the report.
    Report,
    /// They are an error.
    Refuse,
}

/// How much of an index is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Reach {
    /// Exactly the digest named.
    Index,
    /// And its platform manifests.
    Platforms,
    /// And everything reachable.
    All,
}

/// From which gravity on a finding fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Only findings that say no.
    Error,
    /// Warnings too.
    Warning,
    /// Notes too.
    Note,
    /// No finding.
    None,
}

/// The form of standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The form of standard output of `targets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetsFormat {
    /// One line each.
    Text,
    /// Everything that is known of each.
    Json,
    /// A build matrix.
    Matrix,
}

/// Whether output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_need_a_unit_and_a_length() {
        assert_eq!("500ms".parse(), Ok(Span(Duration::from_millis(500))));
        assert_eq!("10m".parse(), Ok(Span(Duration::from_mins(10))));
        assert_eq!("1h".parse(), Ok(Span(Duration::from_hours(1))));
        for text in [
            "",
            "10",
            "s",
            "1.5h",
            "-1s",
            "1d",
            "0s",
            "10 m",
            "99999999999999999999h",
            "9999999999999h",
        ] {
            assert_eq!(text.parse::<Span>(), Err(DurationError), "{text}");
        }
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        let pair: Pair = "url=https://x/?a=b".parse().unwrap();
        assert_eq!(
            (pair.key.as_str(), pair.value.as_str()),
            ("url", "https://x/?a=b")
        );
        assert_eq!("=x".parse::<Pair>(), Err(PairError));
        assert_eq!("x".parse::<Pair>(), Err(PairError));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (text.parse::<Span>(), text.parse::<Pair>());
        }
    }
}
