//! The referrer tree as lines with branches in front.

use super::escape::plain;
use super::{RunReport, Standing, TreeNode};

/// Lines shown of one tree (ours; the report holds it whole).
const LINES: usize = 200;

/// Levels shown of one tree (ours; real ones have three).
const DEPTH: usize = 16;

/// One line of a tree: the branches, how it stands, and the words.
pub(super) struct Line {
    pub(super) branches: String,
    pub(super) standing: Standing,
    pub(super) words: String,
}

/// The lines of a tree, top first, and how many were left out.
pub(super) fn lines(tree: &TreeNode) -> (Vec<Line>, usize) {
    let mut lines = Vec::new();
    let mut left_out = 0;
    lines.push(Line {
        branches: String::new(),
        standing: tree.standing,
        words: words(tree),
    });
    walk(tree, "", 1, &mut lines, &mut left_out);
    (lines, left_out)
}

fn walk(tree: &TreeNode, stem: &str, depth: usize, lines: &mut Vec<Line>, left_out: &mut usize) {
    let last = tree.children.len().saturating_sub(1);
    for (index, child) in tree.children.iter().enumerate() {
        if lines.len() >= LINES || depth > DEPTH {
            *left_out += 1;
            continue;
        }
        let (branch, below) = if index == last {
            ("└── ", "    ")
        } else {
            ("├── ", "│   ")
        };
        lines.push(Line {
            branches: format!("{stem}{branch}"),
            standing: child.standing,
            words: words(child),
        });
        walk(child, &format!("{stem}{below}"), depth + 1, lines, left_out);
    }
}

fn words(of: &TreeNode) -> String {
    let note = of.note.as_ref().map(|note| format!(" · {}", plain(note.raw())));
    format!(
        "{} {}:{} {}{}",
        plain(of.kind.raw()),
        of.digest.algorithm().name(),
        of.digest.short(),
        bytes(of.size),
        note.unwrap_or_default()
    )
}

/// A size as people read it: bytes, kB, MB (powers of 1,000).
fn bytes(size: u64) -> String {
    match size {
        0..1_000 => format!("{size} B"),
        1_000..1_000_000 => format!("{}.{} kB", size / 1_000, size % 1_000 / 100),
        _ => format!("{}.{} MB", size / 1_000_000, size % 1_000_000 / 100_000),
    }
}

impl Standing {
    /// The word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Listed => "listed",
        }
    }

    /// One character for trees.
    pub(super) const fn mark(self) -> char {
        match self {
            Self::Verified => '✓',
            Self::Rejected => '✗',
            Self::Unknown => '?',
            Self::Listed => '·',
        }
    }
}

/// What the marks mean, in words that claim no more than was checked.
pub(super) fn legend(report: &RunReport, between: &str) -> String {
    let listed = "· listed, not judged";
    let signatures = report.targets.iter().flat_map(|target| &target.signatures);
    let mut verdicts = signatures.map(|signature| signature.verdict);
    match &report.checked {
        None if verdicts.any(|verdict| verdict != "listed") => {
            ["✓ accepted", "✗ rejected", "? could not tell", listed].join(between)
        }
        None => listed.to_owned(),
        Some(checked) => {
            let accepted = format!("✓ {}", checked.name());
            [accepted.as_str(), "✗ rejected", "? could not tell", listed].join(between)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_cut_not_rounded_up() {
        assert_eq!(
            [0, 999, 1_000, 1_999, 10_000_000].map(bytes),
            ["0 B", "999 B", "1.0 kB", "1.9 kB", "10.0 MB"]
        );
    }
}
