//! Time as a value: nothing below the seams reads a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment in UTC: whole seconds since 1970 and nanoseconds within the second.
///
/// Prints as RFC 3339 with seconds and `Z`; a fraction is kept for comparisons but never written, as the Notary
/// Project's signature specification asks.
///
/// ```
/// use countersign::base::time::Timestamp;
/// let t: Timestamp = "2025-03-01T13:00:00.5+01:00".parse()?;
/// assert_eq!(t.to_string(), "2025-03-01T12:00:00Z");
/// assert!(t > "2025-03-01T12:00:00Z".parse()?);
/// # Ok::<(), countersign::base::time::TimestampError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

/// The seconds of 9999-12-31T23:59:59Z, the last moment RFC 3339 can write.
const LAST_SECOND: i64 = 253_402_300_799;

/// The seconds of 0000-01-01T00:00:00Z, the first moment RFC 3339 can write.
const FIRST_SECOND: i64 = -62_167_219_200;

/// Why a text is not a moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a date and time like 2025-03-01T12:00:00Z (RFC 3339)")]
pub struct TimestampError;

impl Timestamp {
    /// The moment that many seconds after 1970-01-01T00:00:00Z; clamped to the years 0000 to 9999.
    pub fn from_unix(seconds: i64) -> Self {
        Self {
            seconds: seconds.clamp(FIRST_SECOND, LAST_SECOND),
            nanos: 0,
        }
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub const fn unix(self) -> i64 {
        self.seconds
    }

    /// The same second without its fraction.
    #[must_use]
    pub const fn whole(self) -> Self {
        Self {
            seconds: self.seconds,
            nanos: 0,
        }
    }

    /// The moment `seconds` later (earlier when negative).
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self {
            nanos: self.nanos,
            ..Self::from_unix(self.seconds.saturating_add(seconds))
        }
    }
}

/// Longest duration accepted, in seconds: about 300 years, so that no sum of times overflows (ours).
const LONGEST_SECONDS: u64 = 10_000_000_000;

/// A text that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number and a unit (500ms, 30s, 10m, 1h)")]
pub struct DurationError;

/// Reads a duration: a number and a unit, as `500ms`, `30s`, `10m`, `1h`.
///
/// ```
/// use std::time::Duration;
/// use countersign::base::time::parse_duration;
/// assert_eq!(parse_duration("720h")?, Duration::from_secs(30 * 24 * 60 * 60));
/// assert!(parse_duration("30").is_err());
/// # Ok::<(), countersign::base::time::DurationError>(())
/// ```
///
/// # Errors
/// [`DurationError`] for another form, for zero, and for more than about 300 years.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError)?;
    let (digits, unit) = text.split_at_checked(at).ok_or(DurationError)?;
    let number: u64 = digits.parse().map_err(|_| DurationError)?;
    let duration = match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3_600).map(Duration::from_secs),
        _ => None,
    };
    duration
        .filter(|duration| *duration > Duration::ZERO && duration.as_secs() <= LONGEST_SECONDS)
        .ok_or(DurationError)
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Parses RFC 3339 with `T`, seconds and an offset; a blank for the `T` or a missing offset is refused.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let bytes = text.as_bytes();
        let offset_start = bytes.len().checked_sub(6).and_then(|at| bytes.get(at)).copied();
        let has_offset = bytes.last() == Some(&b'Z') || matches!(offset_start, Some(b'+' | b'-'));
        if bytes.get(10) != Some(&b'T') || !has_offset {
            return Err(TimestampError);
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        Ok(Self {
            seconds: parsed.unix_timestamp(),
            nanos: parsed.nanosecond(),
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp(self.seconds).map_err(|_| fmt::Error)?;
        f.write_str(&moment.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "2025-03-01",
            "2025-03-01 12:00:00Z",
            "2025-03-01T12:00:00",
            "2025-03-01T12:00Z",
            "2025-03-01t12:00:00z",
            "1717200000",
            "2025-02-30T12:00:00Z",
            "2025-03-01T12:00:00Z ",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn fractions_order_moments_within_a_second() {
        let early: Timestamp = "2025-03-01T12:00:00Z".parse().unwrap();
        let late: Timestamp = "2025-03-01T12:00:00.000000001Z".parse().unwrap();
        assert!(early < late);
        assert_eq!(late.whole(), early);
    }

    proptest! {
        #[test]
        fn every_second_prints_and_parses_back(seconds in FIRST_SECOND..=LAST_SECOND) {
            let moment = Timestamp::from_unix(seconds);
            prop_assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Timestamp>();
        }
    }
}
