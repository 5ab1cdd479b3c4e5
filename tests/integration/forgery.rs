//! Nothing that was tampered with is accepted: every byte of what a run wrote is changed in turn, and the shipped
//! binary judges each result.
//!
//! One process judges many layouts, so that thousands of variants cost a few dozen starts.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::scratch::{Layout, NOTARY, PROVENANCE, Scratch, hex, hex_of};

/// Layouts judged by one process.
const BATCH: usize = 400;

/// What a forger can reach besides a refusal.
#[derive(Clone, Copy, PartialEq)]
enum May {
    Nothing,
    /// What was changed is no attestation any more, as if the forger had deleted it: nobody takes it for one.
    CeaseToBe,
}

/// A layout that a run signed, and what is where in it.
struct Signed {
    scratch: Scratch,
    layout: Layout,
    signature: String,
    attestation: String,
    attestation_signature: String,
}

impl Signed {
    fn new() -> Self {
        let scratch = Scratch::new();
        scratch.demo();
        let mut layout = Layout::read(&scratch.path("demo"));
        let image = layout.image();
        // The image's own content is not what is judged here.
        let content = layout.json(&image)["manifests"].to_string();
        let entries = layout.index.to_string() + &content;
        let listed = |name: &String| entries.contains(name);
        let read: Vec<String> = layout
            .entries()
            .iter()
            .map(|entry| layout.json(&hex_of(entry)))
            .filter(|manifest| !manifest["subject"].is_null())
            .map(|manifest| hex_of(&manifest["layers"][0]))
            .collect();
        layout
            .blobs
            .retain(|(name, bytes)| listed(name) || read.contains(name) || bytes == b"{}");
        let signature = layout.referrer(&image, NOTARY);
        let attestation = layout.referrer(&image, PROVENANCE);
        let attestation_signature = layout.referrer(&attestation, NOTARY);
        Self {
            scratch,
            layout,
            signature,
            attestation,
            attestation_signature,
        }
    }

    /// The layout in which the image is only signed.
    fn without_attestation(&self) -> Layout {
        let mut layout = self.layout.clone();
        for hex in [&self.attestation, &self.attestation_signature] {
            let envelope = layout.layer(hex);
            layout.unlist(hex);
            layout.blobs.retain(|(name, _)| name != hex && *name != envelope);
        }
        layout
    }

    /// Judges every layout and demands that none is accepted; prints how many there were.
    fn none_is_accepted(
        &self,
        what: &str,
        may: May,
        layouts: impl Iterator<Item = (usize, Layout)>,
    ) -> usize {
        let (from, began) = (self.scratch.path("demo"), Instant::now());
        let mut batch: Vec<(usize, PathBuf)> = Vec::new();
        let mut count = 0;
        for (at, layout) in layouts {
            let directory = self.scratch.path(&format!("v{count}"));
            layout.write(&directory, Some(&self.layout), &from);
            batch.push((at, directory));
            count += 1;
            if batch.len() == BATCH {
                self.judge(what, may, &mut batch);
            }
        }
        self.judge(what, may, &mut batch);
        let _ = writeln!(
            std::io::stderr(),
            "forgery: {what}: {count} changes refused in {:?}",
            began.elapsed()
        );
        count
    }

    fn judge(&self, what: &str, may: May, batch: &mut Vec<(usize, PathBuf)>) {
        if batch.is_empty() {
            return;
        }
        let name =
            |directory: &PathBuf| format!("oci:{}:1.0", directory.file_name().unwrap().to_str().unwrap());
        let images: Vec<String> = batch.iter().map(|(_, directory)| name(directory)).collect();
        let mut args = vec!["verify", "--signer=local"];
        args.extend(images.iter().map(String::as_str));
        let ran = self.scratch.run_as("state", &args);
        assert!(
            matches!(ran.code, 1 | 3 | 5 | 6),
            "{what}: exit {}\n{}",
            ran.code,
            ran.stderr
        );
        let report = self.scratch.report();
        let targets = report["targets"].as_array().unwrap();
        assert_eq!(targets.len(), batch.len());
        for ((at, directory), target) in batch.drain(..).zip(targets) {
            let state = target["state"].as_str().unwrap();
            let accepted = |one: &Value| one["verdict"] == "accepted";
            let unattested = !target["attestations"].as_array().unwrap().iter().any(accepted);
            assert!(
                matches!(state, "rejected" | "failed") || (may == May::CeaseToBe && unattested),
                "{what}: byte {at} changed, and it is {state}"
            );
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
}

impl Layout {
    /// The same layout in which a blob has other bytes under its old name: bytes that lie.
    fn lying(&self, hex: &str, bytes: Vec<u8>) -> Self {
        let mut layout = self.clone();
        let blob = layout.blobs.iter_mut().find(|(name, _)| name == hex).unwrap();
        blob.1 = bytes;
        layout
    }

    /// The same layout in which a blob was exchanged for one of the same size and everything that names it was
    /// corrected: a forger who may write to the store, and has no key.
    fn readdressed(&self, old: &str, bytes: Vec<u8>) -> Self {
        let new = hex(&bytes);
        let mut layout = self.clone();
        layout.blobs.retain(|(name, _)| name != old);
        layout.blobs.push((new.clone(), bytes));
        let index = layout.index.to_string().replace(old, &new);
        layout.index = serde_json::from_str(&index).unwrap();
        let names_it = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| text.contains(old));
        let namers: Vec<String> = layout
            .blobs
            .iter()
            .filter(|(_, bytes)| names_it(bytes))
            .map(|(name, _)| name.clone())
            .collect();
        for namer in namers {
            let text = String::from_utf8(layout.blob(&namer).to_vec()).unwrap();
            layout = layout.readdressed(&namer, text.replace(old, &new).into_bytes());
        }
        layout
    }
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn bytes_that_lie_about_their_digest_are_never_accepted() {
    let signed = Signed::new();
    let layout = &signed.layout;
    let alone = signed.without_attestation();
    let blobs = [
        ("signature manifest", &alone, signed.signature.clone()),
        ("envelope", &alone, layout.layer(&signed.signature)),
        ("statement manifest", layout, signed.attestation.clone()),
        ("statement", layout, layout.layer(&signed.attestation)),
    ];
    for (what, layout, blob) in &blobs {
        let bytes = layout.blob(blob);
        let variants = (0..bytes.len()).map(|at| (at, layout.lying(blob, flipped(bytes, at))));
        assert_eq!(signed.none_is_accepted(what, May::Nothing, variants), bytes.len());
    }
}

#[test]
fn a_forger_without_the_key_is_never_accepted() {
    let signed = Signed::new();
    let layout = &signed.layout;
    let envelope = layout.layer(&signed.signature);
    let text = String::from_utf8(layout.blob(&envelope).to_vec()).unwrap();
    // The name of the signing program is the one part that nobody signs and that judges nothing (Notary Project
    // signature specification, JWS envelope, unsigned attributes).
    let agent = text.find("\"io.cncf.notary.signingAgent\"").unwrap();
    let agent = agent..agent + text[agent..].find([',', '}']).unwrap();
    let alone = signed.without_attestation();
    let statement = layout.layer(&signed.attestation);
    let manifest = signed.attestation.clone();
    for (what, layout, blob, free, may) in [
        ("envelope, re-addressed", &alone, envelope, agent, May::Nothing),
        ("statement, re-addressed", layout, statement, 0..0, May::Nothing),
        (
            "statement manifest, re-addressed",
            layout,
            manifest,
            0..0,
            May::CeaseToBe,
        ),
    ] {
        let bytes = layout.blob(&blob);
        let places: Vec<usize> = (0..bytes.len()).filter(|at| !free.contains(at)).collect();
        let variants = places
            .iter()
            .map(|at| (*at, layout.readdressed(&blob, flipped(bytes, *at))));
        assert_eq!(signed.none_is_accepted(what, may, variants), places.len());
    }
}

#[test]
fn the_untouched_layout_is_accepted_so_that_refusals_mean_something() {
    let signed = Signed::new();
    let (same, from) = (signed.scratch.path("same"), signed.scratch.path("demo"));
    signed.layout.write(&same, Some(&signed.layout), &from);
    signed.scratch.verify(0, "oci:same:1.0", &[]);
    // What nobody signs may say anything.
    let envelope = signed.layout.layer(&signed.signature);
    let bytes = signed.layout.blob(&envelope);
    let name = b"countersign/";
    let agent = bytes
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    let other = signed.layout.readdressed(&envelope, flipped(bytes, agent));
    other.write(&signed.scratch.path("other"), Some(&signed.layout), &from);
    signed.scratch.verify(0, "oci:other:1.0", &[]);
}
