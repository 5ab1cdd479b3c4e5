//! One condition on what an attestation says: a member, and what it has to be.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::base::foreign::{Foreign, quote};
use crate::base::glob;
use crate::base::tree::Value;
use crate::domain::provenance::Attested;

/// Longest pattern (as the longest URI that is written or believed).
const PATTERN_BYTES: usize = 2_048;

/// Longest text that a pattern is held against (ours; what is longer fits nothing).
const NAME_BYTES: usize = 16_384;

/// A text with `*` for anything within a segment and `**` for anything; without a star it fits itself alone.
///
/// ```
/// use countersign::domain::trust::expectation::Pattern;
/// let pattern: Pattern = "https://github.com/octo-org/web/.github/workflows/release.yml@**".parse()?;
/// assert!(pattern.fits("https://github.com/octo-org/web/.github/workflows/release.yml@refs/tags/v1"));
/// assert!(!pattern.fits("https://github.com/octo-org/web/.github/workflows/test.yml@refs/tags/v1"));
/// # Ok::<(), countersign::domain::trust::expectation::PatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// A text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a text or pattern of 1 to {PATTERN_BYTES} bytes with at most {} stars",
    glob::STARS
)]
pub struct PatternError;

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let stars = text.bytes().filter(|byte| *byte == b'*').count();
        let fits = !text.is_empty() && text.len() <= PATTERN_BYTES && stars <= glob::STARS;
        fits.then(|| Self(text.to_owned())).ok_or(PatternError)
    }
}

impl Pattern {
    /// Whether a text fits.
    pub fn fits(&self, text: &str) -> bool {
        text.len() <= NAME_BYTES && glob::fits(&self.0, text)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Digits of one number, and the size of its exponent (ours; far beyond what anybody counts).
const DIGITS: usize = 1_000;

/// A number as JSON spells it (RFC 8259, 6), compared by its value and without rounding.
#[derive(Clone, Debug)]
pub struct Number {
    spelled: String,
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    /// The value is 0.DIGITS times ten to this power.
    exponent: i64,
}

impl Number {
    /// Reads a number; none for other spellings, and for one of more than 1,000 digits.
    pub fn parse(spelled: &str) -> Option<Self> {
        let (negative, rest) = match spelled.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, spelled),
        };
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let plain = |text: &str| text.len() <= DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) {
            return None;
        }
        let exponent: i64 = exponent
            .parse()
            .ok()
            .filter(|e: &i64| e.unsigned_abs() <= DIGITS as u64)?;
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let leading = i64::try_from(all.len() - significant.len()).ok()?;
        let digits = significant.trim_end_matches('0').to_owned();
        Some(Self {
            spelled: spelled.to_owned(),
            negative: negative && !digits.is_empty(),
            exponent: if digits.is_empty() {
                0
            } else {
                exponent + i64::try_from(whole.len()).ok()? - leading
            },
            digits,
        })
    }

    fn size(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits)),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size(other),
            (true, true) => other.size(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

/// A value that a member can be compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
}

impl Literal {
    /// The literal that a value is; none for arrays, objects and numbers beyond counting.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(flag) => Some(Self::Bool(*flag)),
            Value::Number(spelled) => Number::parse(spelled).map(Self::Number),
            Value::Text(text) => Some(Self::Text(text.clone())),
            Value::List(_) | Value::Map(_) => None,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Number(number) => f.write_str(&number.spelled),
            Self::Text(text) => write!(f, "{}", quote(text)),
        }
    }
}

/// What a member has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// This value; numbers by value, everything else exactly.
    Equals(Literal),
    /// A text that fits this pattern.
    Matches(Pattern),
    /// One of these values.
    In(Vec<Literal>),
    /// A number, and this or more.
    AtLeast(Number),
}

impl Test {
    /// Whether a value passes; a value of another kind never does.
    fn passes(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Matches(pattern), Value::Text(text)) => pattern.fits(text),
            (Self::AtLeast(least), Value::Number(spelled)) => {
                Number::parse(spelled).is_some_and(|number| number >= *least)
            }
            (Self::Equals(literal), _) => Literal::of(value).as_ref() == Some(literal),
            (Self::In(literals), _) => Literal::of(value).is_some_and(|found| literals.contains(&found)),
            (Self::Matches(_) | Self::AtLeast(_), _) => false,
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(literal) => write!(f, "{literal}"),
            Self::Matches(pattern) => write!(f, "a text like {}", quote(pattern.as_str())),
            Self::In(literals) => {
                let words: Vec<String> = literals.iter().map(ToString::to_string).collect();
                write!(f, "one of {}", words.join(", "))
            }
            Self::AtLeast(number) => write!(f, "a number of at least {}", number.spelled),
        }
    }
}

/// A condition on one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The member, as a JSON pointer (RFC 6901).
    pub at: String,
    /// What it has to be.
    pub test: Test,
}

impl Condition {
    /// What was found instead, where the condition does not hold; a member that is not there is found as nothing.
    ///
    /// # Errors
    /// What stands there.
    pub fn hold(&self, attested: &Attested) -> Result<(), Option<Foreign>> {
        match attested.at(&self.at) {
            None => Err(None),
            Some(member) if self.test.passes(member.value()) => Ok(()),
            Some(member) => Err(Some(shown(member.value()))),
        }
    }
}

/// A value as a finding shows it.
fn shown(value: &Value) -> Foreign {
    match value {
        Value::List(items) => Foreign::new(format!("an array of {}", items.len())),
        Value::Map(members) => Foreign::new(format!("an object of {} members", members.len())),
        Value::Text(text) | Value::Number(text) => Foreign::new(text),
        Value::Bool(flag) => Foreign::new(flag.to_string()),
        Value::Null => Foreign::new("null"),
    }
}

/// Whether a text is a JSON pointer (RFC 6901, 3): empty, or `/` and tokens in which `~` stands only as `~0` and `~1`.
pub(super) fn is_pointer(text: &str) -> bool {
    let escaped = |token: &str| {
        let mut rest = token.split('~').skip(1);
        rest.all(|after| after.starts_with('0') || after.starts_with('1'))
    };
    text.is_empty() || (text.starts_with('/') && text.split('/').all(escaped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(spelled: &str) -> Number {
        Number::parse(spelled).unwrap()
    }

    #[test]
    fn numbers_are_compared_by_value_without_rounding() {
        for (a, b) in [
            ("1", "1.0"),
            ("10", "1e1"),
            ("0", "-0"),
            ("0.5", "5E-1"),
            ("1e+2", "100"),
        ] {
            assert_eq!(number(a), number(b), "{a} {b}");
        }
        for (less, more) in [
            ("9007199254740992", "9007199254740993"),
            ("-2", "-1"),
            ("-1", "0"),
            ("0.09", "0.1"),
            ("9", "10"),
            ("7.5", "7.51"),
            ("-10", "9"),
            ("1e-3", "0.01"),
        ] {
            assert!(number(less) < number(more), "{less} {more}");
        }
        for text in [
            "",
            "-",
            "1.2.3",
            "a",
            "1e",
            "1e9999",
            ".5",
            "0x1",
            &"1".repeat(1_001),
        ] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_test_passes_values_of_its_own_kind_alone() {
        let text = |text: &str| Value::Text(text.to_owned());
        let digits = |text: &str| Value::Number(text.to_owned());
        let at_least = Test::AtLeast(number("7"));
        assert!(at_least.passes(&digits("7.0")) && at_least.passes(&digits("8")));
        assert!(!at_least.passes(&digits("6.99")) && !at_least.passes(&text("9")));
        let equals = Test::Equals(Literal::Text("1".to_owned()));
        assert!(equals.passes(&text("1")) && !equals.passes(&digits("1")));
        assert!(!Test::Equals(Literal::Bool(true)).passes(&text("true")));
        assert!(Test::Equals(Literal::Null).passes(&Value::Null));
        let of = Test::In(vec![Literal::Text("a".to_owned()), Literal::Number(number("2"))]);
        assert!(of.passes(&digits("2.0")) && !of.passes(&text("2")));
        let matches = Test::Matches("PASS*".parse().unwrap());
        assert!(matches.passes(&text("PASSED")) && !matches.passes(&text("PASS/ED")));
        assert!(!matches.passes(&Value::List(Vec::new())));
        assert!(!Test::Equals(Literal::Null).passes(&Value::Map(Vec::new())));
    }

    #[test]
    fn patterns_and_pointers_are_checked_when_they_are_read() {
        for text in ["", &"*".repeat(17), &"a".repeat(2_049)] {
            assert_eq!(text.parse::<Pattern>(), Err(PatternError));
        }
        assert!(!"**".parse::<Pattern>().unwrap().fits(&"a".repeat(NAME_BYTES + 1)));
        for text in ["", "/", "/a/0", "/a~0b/~1"] {
            assert!(is_pointer(text), "{text}");
        }
        for text in ["a", "a/b", "/a~", "/~2"] {
            assert!(!is_pointer(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_order_as_integers_do(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(number(&a.to_string()).cmp(&number(&b.to_string())), a.cmp(&b));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (Number::parse(&text), text.parse::<Pattern>(), is_pointer(&text));
        }
    }
}
