//! Distinguished names: the bytes for comparing, the attributes for matching, a neutral text for people.

use std::fmt;

use der::asn1::{BmpString, Ia5StringRef, PrintableStringRef, Utf8StringRef};
use der::oid::ObjectIdentifier;
use der::{Any, Decode as _, Encode as _, Tag, Tagged as _};

use crate::base::foreign::obeyed;

/// Attribute types that are written by name: RFC 4514, 3 (without DC and UID), and those that Go's `crypto/x509`
/// adds from RFC 4519. They stand in the order in which notation, which is written in Go, prints them.
const NAMES: [(&str, &str); 9] = [
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.3", "CN"),
    ("2.5.4.11", "OU"),
    ("2.5.4.10", "O"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.6", "C"),
];

/// A distinguished name (RFC 5280, 4.1.2.4); two are equal if their bytes are.
///
/// `Display` is RFC 4514 text in the order in which notation prints names, whatever the order in the certificate, so
/// that both can be compared by eye; nothing is left in it that a terminal obeys.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    der: Vec<u8>,
    relative: Vec<Vec<Attribute>>,
}

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    oid: String,
    text: Option<String>,
    der: Vec<u8>,
}

impl Name {
    /// Reads a name from its bytes.
    pub(super) fn read(der: &[u8]) -> Result<Self, der::Error> {
        let name = x509_cert::name::Name::from_der(der)?;
        let relative = name.iter_rdn().map(|rdn| {
            rdn.iter()
                .map(|attribute| Attribute::read(attribute.oid, &attribute.value))
                .collect::<Result<_, _>>()
        });
        Ok(Self {
            der: der.to_vec(),
            relative: relative.collect::<Result<_, _>>()?,
        })
    }

    /// The relative distinguished names in the order of the certificate; most hold one attribute, some several.
    pub fn relative(&self) -> impl Iterator<Item = &[Attribute]> {
        self.relative.iter().map(Vec::as_slice)
    }

    /// The bytes, as they stand in the certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl Attribute {
    fn read(oid: ObjectIdentifier, value: &Any) -> Result<Self, der::Error> {
        Ok(Self {
            oid: oid.to_string(),
            text: text(value),
            der: value.to_der()?,
        })
    }

    /// The type, as a dotted object identifier.
    pub fn oid(&self) -> &str {
        &self.oid
    }

    /// The short name of the type: C, O, OU, CN, SERIALNUMBER, L, ST, STREET or POSTALCODE.
    pub fn short_name(&self) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(oid, _)| *oid == self.oid)
            .map(|(_, name)| *name)
    }

    /// The place among the types that are written by name; all others come last.
    fn rank(&self) -> usize {
        NAMES
            .iter()
            .position(|(oid, _)| *oid == self.oid)
            .unwrap_or(NAMES.len())
    }

    /// The value, if it is text.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

/// The text of a `DirectoryString` and its relatives; anything that is not certainly text is none.
fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => value
            .decode_as::<Utf8StringRef<'_>>()
            .ok()
            .map(|text| text.as_str().to_owned()),
        Tag::PrintableString => value
            .decode_as::<PrintableStringRef<'_>>()
            .ok()
            .map(|text| text.as_str().to_owned()),
        Tag::Ia5String => value
            .decode_as::<Ia5StringRef<'_>>()
            .ok()
            .map(|text| text.as_str().to_owned()),
        Tag::BmpString => value.decode_as::<BmpString>().ok().map(|text| text.to_string()),
        Tag::NumericString | Tag::TeletexString => std::str::from_utf8(value.value())
            .ok()
            .filter(|text| text.is_ascii())
            .map(str::to_owned),
        _ => None,
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut relative: Vec<&Vec<Attribute>> = self.relative.iter().rev().collect();
        relative.sort_by_key(|attributes| attributes.first().map_or(NAMES.len(), Attribute::rank));
        for (index, relative) in relative.into_iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            for (index, attribute) in relative.iter().enumerate() {
                if index > 0 {
                    f.write_str("+")?;
                }
                attribute.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl fmt::Display for Attribute {
    /// RFC 4514, 2.3 and 2.4: `CN=text`, or `1.2.3=#hex` of the value's encoding for types without a short name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.short_name(), &self.text) {
            (Some(name), Some(text)) => {
                write!(f, "{name}=")?;
                write_escaped(f, text)
            }
            (name, _) => {
                write!(f, "{}=#", name.unwrap_or(&self.oid))?;
                self.der.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// RFC 4514, 2.4: backslash before special characters, hex pairs for whatever a terminal obeys.
fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    use fmt::Write as _;
    let last = text.chars().count().saturating_sub(1);
    for (index, c) in text.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => write!(f, "\\{c}")?,
            '#' if index == 0 => f.write_str("\\#")?,
            ' ' if index == 0 || index == last => f.write_str("\\ ")?,
            c if obeyed(c) => {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    write!(f, "\\{byte:02X}")?;
                }
            }
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rcgen::{CustomExtension, DistinguishedName, DnType, DnValue};

    use super::super::testing::chain_with;
    use super::*;

    /// The subject of a leaf with these attributes, in this order.
    fn subject(attributes: &[(DnType, DnValue)]) -> Name {
        let issued = chain_with(|index, params| {
            if index == 0 {
                params.distinguished_name = DistinguishedName::new();
                for (kind, value) in attributes {
                    params.distinguished_name.push(kind.clone(), value.clone());
                }
                params
                    .custom_extensions
                    .push(CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]));
            }
        });
        issued.certificates[0].subject().clone()
    }

    fn utf8(text: &str) -> DnValue {
        DnValue::Utf8String(text.to_owned())
    }

    #[test]
    fn names_print_in_the_order_that_notation_prints() {
        let name = subject(&[
            (DnType::CommonName, utf8("AWS Signer")),
            (
                DnType::CountryName,
                DnValue::PrintableString("US".try_into().unwrap()),
            ),
            (DnType::OrganizationalUnitName, utf8("Cryptography")),
            (DnType::StateOrProvinceName, utf8("WA")),
            (DnType::OrganizationName, utf8("AWS")),
        ]);
        assert_eq!(name.to_string(), "CN=AWS Signer,OU=Cryptography,O=AWS,ST=WA,C=US");
        let first = name.relative().next().unwrap();
        assert_eq!(
            (first[0].short_name(), first[0].text(), first[0].oid()),
            (Some("CN"), Some("AWS Signer"), "2.5.4.3")
        );
    }

    #[test]
    fn special_characters_are_escaped_and_nothing_is_obeyed() {
        let name = subject(&[(DnType::CommonName, utf8("# a,b+c\"d\\e<f>g;h\n\u{202e} "))]);
        assert_eq!(
            name.to_string(),
            "CN=\\# a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\0A\\E2\\80\\AE\\ "
        );
        assert!(!name.to_string().chars().any(obeyed));
    }

    #[test]
    fn other_types_are_shown_as_their_encoding() {
        let email = DnType::from_oid(&[1, 2, 840, 113_549, 1, 9, 1]);
        let name = subject(&[
            (email, DnValue::Ia5String("a@b".try_into().unwrap())),
            (DnType::CommonName, utf8("x")),
        ]);
        assert_eq!(name.to_string(), "CN=x,1.2.840.113549.1.9.1=#1603614062");
        let attribute = &name.relative().next().unwrap()[0];
        assert_eq!((attribute.short_name(), attribute.text()), (None, Some("a@b")));
    }
}
