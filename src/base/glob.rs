//! Patterns of names with `/` between their segments: `*` stands for anything within a segment, `**` for anything.

/// Stars of one pattern; more than names have parts serve nothing, and each costs time (ours).
pub const STARS: usize = 16;

/// Whether a name fits a pattern. Every byte but `*` stands for itself.
///
/// ```
/// use countersign::base::glob::fits;
/// assert!(fits("https://github.com/octo-org/*/.github/**@refs/tags/v*", "https://github.com/octo-org/web/.github/workflows/release.yml@refs/tags/v1"));
/// assert!(!fits("https://github.com/octo-org/*", "https://github.com/octo-org/web/other"));
/// ```
pub fn fits(pattern: &str, name: &str) -> bool {
    fits_bytes(pattern.as_bytes(), name.as_bytes())
}

/// Row by row over the pattern: which beginnings of the name fit the pattern so far.
fn fits_bytes(pattern: &[u8], name: &[u8]) -> bool {
    let mut reached: Vec<bool> = std::iter::once(true)
        .chain(std::iter::repeat_n(false, name.len()))
        .collect();
    let mut rest = pattern;
    loop {
        rest = match rest {
            [] => return reached.last() == Some(&true),
            [b'*', b'*', rest @ ..] => {
                reached = spread(&reached, name, |_| true);
                rest
            }
            [b'*', rest @ ..] => {
                reached = spread(&reached, name, |byte| byte != b'/');
                rest
            }
            [byte, rest @ ..] => {
                let step = reached.iter().zip(name).map(|(at, found)| *at && found == byte);
                reached = std::iter::once(false).chain(step).collect();
                rest
            }
        };
    }
}

/// What is reached when any number of bytes that `may` be passed are passed.
fn spread(reached: &[bool], name: &[u8], may: impl Fn(u8) -> bool) -> Vec<bool> {
    let mut last = false;
    let passed = std::iter::once(None).chain(name.iter().copied().map(Some));
    let spread = reached.iter().zip(passed).map(|(at, byte)| {
        last = *at || (last && byte.is_some_and(&may));
        last
    });
    spread.collect()
}
