//! `index.json`: the entries in it, the names they carry, and changing one entry without touching another's text.

use serde_json::value::RawValue;

use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{Cursor, DocumentError, Position};
use crate::domain::oci::{Descriptor, Digest, MediaType, Tag};

/// The tag of an entry, or a whole reference (OCI image specification 1.1, `annotations.md`).
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The whole reference of an entry, as containerd and `docker save` write it (containerd, `images/annotations.go`).
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The list of manifests of a layout, with the text it was read from.
#[derive(Debug)]
pub(super) struct Entries {
    text: String,
    list: Span,
    descriptors: Vec<Descriptor>,
    /// Values in the text, as they count against the bounds.
    values: usize,
}

/// The list with one more entry at its end.
#[derive(Debug)]
pub(super) struct Appended {
    text: String,
    entry: Descriptor,
    values: usize,
}

impl Appended {
    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The digest of the entry.
    pub(super) fn digest(&self) -> &Digest {
        &self.entry.digest
    }
}

/// Where the value of `manifests` stands in the text.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

impl Entries {
    /// Reads the bytes of `index.json`.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Self, DocumentError> {
        let document = json::read(&bytes, Bounds::MANIFEST)?;
        let top = document.cursor().object()?;
        let version = top.required("schemaVersion")?;
        if version.unsigned()? != 2 {
            return Err(version.error("2"));
        }
        if let Some(media_type) = top.optional("mediaType")
            && media_type.string()? != MediaType::OCI_INDEX.as_str()
        {
            return Err(media_type.error(MediaType::OCI_INDEX.as_str()));
        }
        let list = top.required("manifests")?;
        // Go writes an empty list as null.
        let descriptors = if list.is_null() {
            Vec::new()
        } else {
            list.array()?
                .iter()
                .map(Descriptor::read)
                .collect::<Result<_, _>>()?
        };
        let text = String::from_utf8(bytes).map_err(|_| list.error("UTF-8"))?;
        let list = span(&text, &list)?;
        Ok(Self {
            text,
            list,
            descriptors,
            values: document.values(),
        })
    }

    /// Whether it was read from these bytes.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        self.text.as_bytes() == bytes
    }

    /// The entries in the order listed.
    pub(super) fn descriptors(&self) -> &[Descriptor] {
        &self.descriptors
    }

    /// Whether a digest is listed.
    pub(super) fn lists(&self, digest: &Digest) -> bool {
        self.descriptors.iter().any(|entry| entry.digest == *digest)
    }

    /// The text with one more entry, which has no name; everything that was there stays as it was spelled, and is not
    /// read again.
    ///
    /// # Errors
    /// [`DocumentError`] where the text would be more than can be read.
    pub(super) fn appended(&self, entry: &Descriptor) -> Result<Appended, DocumentError> {
        let added = serde_json::to_string(&without_names(entry)).map_err(|error| DocumentError::Syntax {
            at: Position { line: 1, column: 1 },
            what: error.to_string(),
        })?;
        let document = json::read(added.as_bytes(), Bounds::MANIFEST)?;
        let (values, Bounds { bytes: limit, .. }) = (self.values + document.values(), Bounds::MANIFEST);
        let before = self.text.get(..self.list.end).unwrap_or_default();
        let before = if self.descriptors.is_empty() {
            format!("{}[", before.get(..self.list.start).unwrap_or_default())
        } else {
            format!("{},", before.strip_suffix(']').unwrap_or_default().trim_end())
        };
        let behind = self.text.get(self.list.end..).unwrap_or_default();
        let text = [&before, &added, "]", behind].concat();
        if text.len() > limit {
            let found = text.len();
            return Err(DocumentError::TooLarge { limit, found });
        }
        if values > Bounds::MANIFEST.values {
            let limit = Bounds::MANIFEST.values;
            return Err(DocumentError::TooMany { limit });
        }
        Ok(Appended {
            entry: Descriptor::read(&document.cursor())?,
            text,
            values,
        })
    }

    /// Becomes the list with that entry.
    pub(super) fn append(&mut self, appended: Appended) {
        self.list.end = (self.list.end + appended.text.len()).saturating_sub(self.text.len());
        self.text = appended.text;
        self.values = appended.values;
        self.descriptors.push(appended.entry);
    }

    /// The text with one more entry of that name, or with the same ones when it is there already.
    pub(super) fn named(&self, entry: &Descriptor, tag: &Tag) -> Result<String, serde_json::Error> {
        let mut named = without_names(entry);
        named
            .annotations
            .insert(REF_NAME.to_owned(), Foreign::new(tag.as_str()));
        let added = serde_json::to_string(&named)?;
        let mut items = self.items()?;
        let there = |other: &Descriptor| other.digest == entry.digest && has_tag(other, tag);
        if !self.descriptors.iter().any(there) {
            items.push(&added);
        }
        Ok(self.replaced(&items))
    }

    /// The text without the entries of one digest.
    pub(super) fn without(&self, digest: &Digest) -> Result<String, serde_json::Error> {
        let items = self.items()?.into_iter().zip(&self.descriptors);
        let kept: Vec<&str> = items
            .filter(|(_, entry)| entry.digest != *digest)
            .map(|(item, _)| item)
            .collect();
        Ok(self.replaced(&kept))
    }

    /// The text of every entry.
    fn items(&self) -> Result<Vec<&str>, serde_json::Error> {
        let list = self.text.get(self.list.start..self.list.end).unwrap_or_default();
        let items: Option<Vec<&RawValue>> = serde_json::from_str(list)?;
        Ok(items.unwrap_or_default().into_iter().map(RawValue::get).collect())
    }

    fn replaced(&self, items: &[&str]) -> String {
        let (head, rest) = self.text.split_at(self.list.start);
        let tail = rest.get(self.list.end - self.list.start..).unwrap_or_default();
        format!("{head}[{}]{tail}", items.join(","))
    }
}

/// Finds the text of the value that a cursor points at.
fn span(text: &str, value: &Cursor<'_>) -> Result<Span, DocumentError> {
    let unreadable = |_| value.error("an array");
    let start = offset(text, value.position());
    let rest = text.get(start..).unwrap_or_default();
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    let raw = values.next().transpose().map_err(unreadable)?;
    Ok(Span {
        start,
        end: start + raw.map_or(0, |raw| raw.get().len()),
    })
}

/// Bytes before a position.
fn offset(text: &str, at: Position) -> usize {
    let lines = text.split_inclusive('\n').take(at.line as usize - 1);
    lines.map(str::len).sum::<usize>() + at.column as usize - 1
}

/// An entry is found by what it refers to; a name would make it an image of that name.
fn without_names(entry: &Descriptor) -> Descriptor {
    let mut entry = entry.clone();
    entry
        .annotations
        .retain(|key, _| key != REF_NAME && key != CONTAINERD_NAME);
    entry
}

/// What an entry calls itself, if anything.
pub(super) fn name(entry: &Descriptor) -> Option<&Foreign> {
    entry
        .annotations
        .get(REF_NAME)
        .or_else(|| entry.annotations.get(CONTAINERD_NAME))
}

/// Whether an entry is tagged exactly so.
pub(super) fn has_tag(entry: &Descriptor, tag: &Tag) -> bool {
    entry
        .annotations
        .get(REF_NAME)
        .is_some_and(|name| name.raw() == tag.as_str())
}

/// Whether an entry's name is a whole reference that ends in the tag.
pub(super) fn has_reference_with(entry: &Descriptor, tag: &Tag) -> bool {
    let names = [REF_NAME, CONTAINERD_NAME]
        .into_iter()
        .filter_map(|key| entry.annotations.get(key));
    let mut tags = names.filter_map(|name| {
        let name = name.raw().split('@').next()?;
        Some(name.rsplit('/').next()?.split_once(':')?.1)
    });
    tags.any(|found| found == tag.as_str())
}

/// The tag under which registries without the referrers API keep the list of what refers to a digest
/// (OCI distribution specification 1.1, "Referrers Tag Schema").
pub(super) fn fallback_tag(of: &Digest) -> String {
    format!("{}-{}", of.algorithm().name(), of.hex())
}

/// The tag of an entry that may be such a list.
pub(super) fn list_tag(entry: &Descriptor) -> Option<&str> {
    let name = entry.annotations.get(REF_NAME).map(Foreign::raw);
    name.filter(|_| entry.media_type.is_index())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"urls":["x"],"annotations":{"org.opencontainers.image.ref.name":"1.0"}}"#;

    fn entry(bytes: &[u8]) -> Descriptor {
        Descriptor::of(MediaType::OCI_MANIFEST, bytes)
    }

    fn with(text: &str, bytes: &[u8]) -> String {
        let entries = parse(text);
        entries.appended(&entry(bytes)).unwrap().text().to_owned()
    }

    fn parse(text: &str) -> Entries {
        Entries::parse(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn what_others_wrote_keeps_its_spelling() {
        let text = format!(
            "{{\n \"x\" : [1.50, \"manifests\"],\n\t\"manifests\": [ {A} ],\r\n \"schemaVersion\": 2,\n \"z\": null }}\n"
        );
        let with = with(&text, b"b");
        let added = serde_json::to_string(&entry(b"b")).unwrap();
        assert_eq!(with, text.replace(&format!("{A} ]"), &format!("{A},{added}]")));
        let without = parse(&with).without(&Digest::of(b"b")).unwrap();
        assert_eq!(without, text.replace(&format!("[ {A} ]"), &format!("[{A}]")));
    }

    #[test]
    fn an_empty_list_may_be_null() {
        let text = r#"{"schemaVersion":2,"manifests":null}"#;
        assert_eq!(
            parse(text).without(&Digest::of(b"b")).unwrap(),
            r#"{"schemaVersion":2,"manifests":[]}"#
        );
        assert_eq!(parse(&with(text, b"b")).descriptors(), [entry(b"b")]);
    }

    #[test]
    fn a_list_never_grows_beyond_what_can_be_read() {
        let filler = "x".repeat(Bounds::MANIFEST.bytes - 300);
        let text = format!(r#"{{"schemaVersion":2,"manifests":[],"filler":"{filler}"}}"#);
        let mut entries = parse(&text);
        entries.append(entries.appended(&entry(b"a")).unwrap());
        let refused = entries.appended(&entry(b"b"));
        assert!(
            matches!(refused, Err(DocumentError::TooLarge { .. })),
            "{refused:?}"
        );
        let ones = vec!["1"; Bounds::MANIFEST.values - 10].join(",");
        let mut entries = parse(&format!(
            r#"{{"schemaVersion":2,"manifests":[],"ones":[{ones}]}}"#
        ));
        entries.append(entries.appended(&entry(b"a")).unwrap());
        let refused = entries.appended(&entry(b"b"));
        assert!(
            matches!(refused, Err(DocumentError::TooMany { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn our_entries_have_no_name() {
        let named = parse(&format!(r#"{{"schemaVersion":2,"manifests":[{A}]}}"#)).descriptors()[0].clone();
        assert_eq!(name(&named).unwrap().raw(), "1.0");
        assert_eq!(name(&without_names(&named)), None);
    }

    #[test]
    fn names_match_as_tags_and_as_references() {
        let tag: Tag = "1.0".parse().unwrap();
        let named = |key: &str, name: &str| {
            let mut named = entry(b"a");
            named.annotations.insert(key.to_owned(), Foreign::new(name));
            (has_tag(&named, &tag), has_reference_with(&named, &tag))
        };
        assert_eq!(named(REF_NAME, "1.0"), (true, false));
        assert_eq!(named(REF_NAME, "docker.io/library/web:1.0"), (false, true));
        assert_eq!(
            named(CONTAINERD_NAME, "localhost:5000/web:1.0@sha256:00"),
            (false, true)
        );
        assert_eq!(named(CONTAINERD_NAME, "1.0"), (false, false));
        assert_eq!(named(REF_NAME, "localhost:1.0/web"), (false, false));
    }

    #[test]
    fn other_documents_are_refused_with_a_reason() {
        let error = |text: &str| Entries::parse(text.as_bytes().to_vec()).unwrap_err().to_string();
        assert!(error(r#"{"schemaVersion":2,"manifests":[{"#).contains("EOF"));
        assert_eq!(
            error(r#"{"schemaVersion":1,"manifests":[]}"#),
            "schemaVersion, line 1, column 18: expected 2, found the number 1"
        );
        assert!(error(r#"{"schemaVersion":2,"mediaType":"a/b","manifests":[]}"#).contains("found \"a/b\""));
        assert!(error(r#"{"schemaVersion":2}"#).contains("with the member \"manifests\""));
    }

    proptest! {
        #[test]
        fn adding_and_removing_leave_the_others(count in 0_usize..6, removed in 0_usize..7, blank in "[ \n\t]{0,3}") {
            let entries: Vec<Descriptor> = (0..count).map(|n| entry(&[u8::try_from(n).unwrap()])).collect();
            let texts: Vec<String> = entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
            let text = format!("{blank}{{{blank}\"manifests\":{blank}[{blank}{}{blank}],\"schemaVersion\":2}}", texts.join(&blank_comma(&blank)));
            let added = entry(b"added");
            let mut grown = parse(&text);
            grown.append(grown.appended(&added).unwrap());
            let with = parse(&grown.text);
            prop_assert_eq!(with.descriptors(), [entries.clone(), vec![added.clone()]].concat());
            prop_assert_eq!((&grown.descriptors, grown.values, grown.list.end), (&with.descriptors, with.values, with.list.end));
            let gone = Digest::of(&[u8::try_from(removed).unwrap()]);
            let without = parse(&with.without(&gone).unwrap());
            let kept: Vec<Descriptor> = with.descriptors().iter().filter(|entry| entry.digest != gone).cloned().collect();
            prop_assert_eq!(without.descriptors(), kept);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Entries::parse(bytes);
        }
    }

    fn blank_comma(blank: &str) -> String {
        format!("{blank},{blank}")
    }
}
