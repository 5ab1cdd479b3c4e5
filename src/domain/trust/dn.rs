//! Distinguished names as trust policies write them (RFC 4514, narrowed by the Notary Project trust store and trust
//! policy specification, "Trusted Identities").

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::base::foreign::{Foreign, obeyed};
use crate::domain::x509::Name;

/// The attributes without which a name says too little about who it belongs to (trust store and trust policy
/// specification, "Trusted Identities": country, state or province, and organization are mandatory).
const MANDATORY: [&str; 3] = ["C", "ST", "O"];

/// Longest name read, in bytes (ours; the subject of a real certificate stays below 300).
const NAME_BYTES: usize = 4_096;

/// Why a text is not a distinguished name that can stand in a trust policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnError {
    /// More bytes than any real name has.
    #[error("expected at most {NAME_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// A value in hexadecimal form, which would compare equal to nothing.
    #[error("expected values as text, found \"=#\", which begins a hexadecimal value")]
    Hexadecimal,
    /// Something between the separators that is no `TYPE=VALUE`.
    #[error("expected TYPE=VALUE, found {}", .0.quote())]
    Pair(Foreign),
    /// A relative name of several attributes.
    #[error("expected one attribute between commas, found a + that joins several (write \\+ inside a value)")]
    MultiValued,
    /// A backslash in front of something that needs none, or at the end.
    #[error("expected one of , + \" \\ ; < > = # a blank, or two hexadecimal digits after \\, found {}", .0.quote())]
    Escape(Foreign),
    /// Hexadecimal escapes that are no UTF-8.
    #[error("expected a value in UTF-8, found other bytes in the value of {}", .0.quote())]
    Encoding(Foreign),
    /// An attribute type that stands twice (`S` and `ST` are one type).
    #[error("expected each attribute once, found {} twice", .0.quote())]
    Repeated(Foreign),
    /// An attribute of a certificate whose type has no short name, or whose value is no text.
    #[error("expected attributes that a trust policy can name, found one of the type {}", .0.quote())]
    Unnamed(Foreign),
    /// A mandatory attribute that is absent or empty.
    #[error("expected the attributes C, ST and O with values, found no {0}")]
    Mandatory(&'static str),
}

/// A distinguished name: attribute types and their values, each type once, with country, state and organization.
///
/// Types and values compare byte by byte; the order in which they were written means nothing. `S` is read as `ST`.
///
/// ```
/// use countersign::domain::trust::DistinguishedName;
/// let name: DistinguishedName = "C=US, S=WA, O=Acme\\, Inc.".parse()?;
/// assert_eq!(name.attribute("ST"), Some("WA"));
/// assert_eq!(name.to_string(), "C=US,O=Acme\\, Inc.,ST=WA");
/// assert!("CN=only".parse::<DistinguishedName>().is_err());
/// # Ok::<(), countersign::domain::trust::DnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DistinguishedName(BTreeMap<String, String>);

impl DistinguishedName {
    /// Puts a name together from attributes already taken apart, as from a certificate's subject.
    ///
    /// # Errors
    /// [`DnError::Repeated`] and [`DnError::Mandatory`].
    pub fn from_attributes(attributes: impl IntoIterator<Item = (String, String)>) -> Result<Self, DnError> {
        let mut map = BTreeMap::new();
        for (kind, value) in attributes {
            let kind = if kind == "S" { "ST".to_owned() } else { kind };
            if map.insert(kind.clone(), value).is_some() {
                return Err(DnError::Repeated(Foreign::new(kind)));
            }
        }
        match MANDATORY
            .into_iter()
            .find(|kind| map.get(*kind).is_none_or(String::is_empty))
        {
            Some(absent) => Err(DnError::Mandatory(absent)),
            None => Ok(Self(map)),
        }
    }

    /// Reads the subject of a certificate as a policy would name it.
    ///
    /// # Errors
    /// [`DnError`] for a subject that no policy can name: a relative name of several attributes, a type that repeats
    /// or has no short name, a value that is no text or holds `=#`, or a mandatory attribute that is absent.
    pub fn of_subject(subject: &Name) -> Result<Self, DnError> {
        let attributes = subject.relative().map(|relative| match relative {
            [attribute] => match (attribute.short_name(), attribute.text()) {
                // Notation reads the subject as text, in which this begins a hexadecimal value.
                (Some(_), Some(value)) if value.contains("=#") => Err(DnError::Hexadecimal),
                (Some(kind), Some(value)) => Ok((kind.to_owned(), value.to_owned())),
                _ => Err(DnError::Unnamed(Foreign::new(attribute.oid()))),
            },
            _ => Err(DnError::MultiValued),
        });
        Self::from_attributes(attributes.collect::<Result<Vec<_>, _>>()?)
    }

    /// The value of an attribute type.
    pub fn attribute(&self, kind: &str) -> Option<&str> {
        self.0.get(kind).map(String::as_str)
    }

    /// Every attribute type and value, sorted by type.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(kind, value)| (kind.as_str(), value.as_str()))
    }

    /// Whether every attribute of this name stands in the other with the same value.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.len() <= other.0.len()
            && self
                .0
                .iter()
                .all(|(kind, value)| other.0.get(kind) == Some(value))
    }
}

impl FromStr for DistinguishedName {
    type Err = DnError;

    fn from_str(text: &str) -> Result<Self, DnError> {
        if text.len() > NAME_BYTES {
            return Err(DnError::TooLong(text.len()));
        }
        if text.contains("=#") {
            return Err(DnError::Hexadecimal);
        }
        let mut attributes = Vec::new();
        let mut rest = text;
        loop {
            let (kind, after) = read_type(rest)?;
            let (value, ended) = read_value(kind, after)?;
            attributes.push((kind.to_owned(), value));
            match ended {
                None => return Self::from_attributes(attributes),
                Some(next) => rest = next,
            }
        }
    }
}

/// Reads up to the `=`: an attribute type by name or by OID, blanks around it dropped.
fn read_type(text: &str) -> Result<(&str, &str), DnError> {
    let refused = || DnError::Pair(Foreign::new(text));
    let (kind, after) = text.split_once('=').ok_or_else(refused)?;
    let kind = kind.trim_matches(' ');
    let spelled = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if kind.is_empty() || !kind.chars().all(spelled) {
        return Err(refused());
    }
    Ok((kind, after))
}

/// Reads a value up to a separator or the end; what follows a separator is returned, even when it is empty.
fn read_value<'a>(kind: &str, text: &'a str) -> Result<(String, Option<&'a str>), DnError> {
    let mut value = Vec::new();
    // Bytes that stay when blanks at the end are dropped.
    let mut kept = 0;
    let mut begun = false;
    let mut chars = text.char_indices();
    let mut next = None;
    while let Some((at, c)) = chars.next() {
        match c {
            ',' | ';' => {
                next = text.get(at + 1..);
                break;
            }
            '+' => return Err(DnError::MultiValued),
            '#' if !begun => return Err(DnError::Hexadecimal),
            '\\' => {
                let (byte, digits) = read_escape(text.get(at + 1..).unwrap_or_default())?;
                value.push(byte);
                kept = value.len();
                begun = true;
                for _ in 0..digits {
                    chars.next();
                }
            }
            ' ' if !begun => {}
            c => {
                value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                begun = true;
                if c != ' ' {
                    kept = value.len();
                }
            }
        }
    }
    value.truncate(kept);
    let value = String::from_utf8(value).map_err(|_| DnError::Encoding(Foreign::new(kind)))?;
    Ok((value, next))
}

/// Reads what follows a backslash: the byte it stands for, and how many characters it took.
fn read_escape(after: &str) -> Result<(u8, usize), DnError> {
    let mut bytes = after.bytes();
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    match (bytes.next(), bytes.next()) {
        (Some(byte), _) if br#",+"\;<>=# "#.contains(&byte) => Ok((byte, 1)),
        (Some(high), Some(low)) => match (hex(high), hex(low)) {
            (Some(high), Some(low)) => Ok((high << 4 | low, 2)),
            _ => Err(DnError::Escape(Foreign::new(after))),
        },
        _ => Err(DnError::Escape(Foreign::new(after))),
    }
}

/// Prints the name so that reading it back gives the same name, with nothing in it that a terminal obeys.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{kind}=")?;
            let last = value.chars().count().saturating_sub(1);
            for (at, c) in value.chars().enumerate() {
                match c {
                    ' ' if at == 0 || at == last => f.write_str("\\ ")?,
                    ',' | '+' | '"' | '\\' | ';' | '<' | '>' | '=' | '#' => write!(f, "\\{c}")?,
                    c if obeyed(c) => {
                        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                            write!(f, "\\{byte:02X}")?;
                        }
                    }
                    c => write!(f, "{c}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<DistinguishedName, DnError> {
        text.parse()
    }

    fn value(text: &str, kind: &str) -> String {
        parse(text).unwrap().attribute(kind).unwrap().to_owned()
    }

    #[test]
    fn blanks_around_types_and_separators_are_dropped_and_inner_ones_kept() {
        let name = parse(" C = US , ST=WA; O= a  b ").unwrap();
        assert_eq!(
            name.attributes().collect::<Vec<_>>(),
            [("C", "US"), ("O", "a  b"), ("ST", "WA")]
        );
    }

    #[test]
    fn escapes_stand_for_one_byte_each() {
        assert_eq!(value(r#"C=US,ST=WA,O=a\,b\"c\\d\ "#, "O"), r#"a,b"c\d "#);
        assert_eq!(value(r"C=US,ST=WA,O=\C4\8D", "O"), "č");
        assert_eq!(value("C=US,ST=WA,O=a=b", "O"), "a=b");
        assert_eq!(
            parse(r"C=US,ST=WA,O=x\zz"),
            Err(DnError::Escape(Foreign::new("zz")))
        );
        assert_eq!(parse(r"C=US,ST=WA,O=x\"), Err(DnError::Escape(Foreign::new(""))));
        assert_eq!(
            parse(r"C=US,ST=WA,O=\FF"),
            Err(DnError::Encoding(Foreign::new("O")))
        );
    }

    #[test]
    fn what_could_hide_a_name_is_refused() {
        assert_eq!(parse("C=US,ST=WA,O=#30"), Err(DnError::Hexadecimal));
        assert_eq!(parse("C=US,ST=WA,O= #30"), Err(DnError::Hexadecimal));
        assert_eq!(parse("C=US+ST=WA,O=x"), Err(DnError::MultiValued));
        assert_eq!(
            parse("C=US,ST=WA,S=WA,O=x"),
            Err(DnError::Repeated(Foreign::new("ST")))
        );
        assert_eq!(parse("c=US,ST=WA,O=x"), Err(DnError::Mandatory("C")));
        assert_eq!(parse("C=US,ST=,O=x"), Err(DnError::Mandatory("ST")));
        assert_eq!(parse("C=US,ST=WA,O=x,"), Err(DnError::Pair(Foreign::new(""))));
        assert_eq!(parse(""), Err(DnError::Pair(Foreign::new(""))));
        assert_eq!(parse(&"C".repeat(5_000)), Err(DnError::TooLong(5_000)));
    }

    #[test]
    fn a_subset_needs_every_attribute_with_its_value() {
        let name = |text| parse(text).unwrap();
        let subject = name("CN=y,O=x,ST=WA,C=US");
        assert!(name("C=US,O=x,ST=WA").is_subset_of(&subject));
        assert!(subject.is_subset_of(&subject));
        assert!(!name("C=US,O=X,ST=WA").is_subset_of(&subject));
        assert!(!name("C=US,O=x,ST=WA,OU=z").is_subset_of(&subject));
        assert!(!subject.is_subset_of(&name("C=US,O=x,ST=WA")));
    }

    prop_compose! {
        fn names()(
            mandatory in prop::array::uniform3("\\PC{1,8}|[ #+,;=\\\\\"<>\u{0}\u{202e}a]{1,6}"),
            more in prop::collection::btree_map("[A-BD-NP-R][A-Z]{0,3}|2\\.5\\.4\\.[0-9]", any::<String>(), 0..4),
        ) -> DistinguishedName {
            let attributes = MANDATORY.iter().map(|kind| (*kind).to_owned()).zip(mandatory);
            DistinguishedName::from_attributes(attributes.chain(more)).unwrap()
        }
    }

    proptest! {
        #[test]
        fn a_printed_name_reads_back_as_itself(name in names()) {
            let printed = name.to_string();
            prop_assert!(!printed.chars().any(obeyed));
            prop_assume!(printed.len() <= NAME_BYTES);
            prop_assert_eq!(parse(&printed), Ok(name));
        }

        #[test]
        fn no_text_panics_and_what_is_accepted_reads_back(text in "\\PC{0,60}|[CSTO=,;+#\\\\ a0-9]{0,40}") {
            if let Ok(name) = parse(&format!("C=US,ST=WA,O=x,{text}")) {
                prop_assert_eq!(parse(&name.to_string()), Ok(name));
            }
        }
    }
}
