//! The outputs as a file of variables, for hosts that have no outputs of steps.

use super::escape::plain;
use super::outputs::Output;

/// Bytes of the whole file (GitLab, "artifacts:reports:dotenv": 5 KB).
const LIMIT: usize = 5 * 1_000;

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quoting {
    /// As they are: GitLab takes everything after the first `=` literally.
    Literal,
    /// In single quotes: the file is sourced by a POSIX shell (`CodeBuild`).
    Shell,
}

/// The lines `NAME=value`, and the names of the outputs that were left out because the file would exceed 5 KB.
///
/// Short values are kept before long ones, so that the verdict is always there.
pub fn render(outputs: &[(Output, String)], quoting: Quoting) -> (String, Vec<Output>) {
    let line = |(output, value): &(Output, String)| {
        let value = one_line(value);
        match quoting {
            Quoting::Literal => format!("{}={value}\n", output.variable()),
            Quoting::Shell => format!("{}='{}'\n", output.variable(), value.replace('\'', r"'\''")),
        }
    };
    let mut lines: Vec<_> = outputs.iter().map(|pair| (pair.0, line(pair))).collect();
    let mut by_length: Vec<_> = lines.iter().map(|(output, line)| (line.len(), *output)).collect();
    by_length.sort_unstable();
    let mut total = 0;
    let mut left_out: Vec<_> = by_length
        .into_iter()
        .filter(|(length, _)| {
            total += length;
            total > LIMIT
        })
        .map(|(_, output)| output)
        .collect();
    left_out.sort_unstable();
    lines.retain(|(output, _)| !left_out.contains(output));
    (lines.into_iter().map(|(_, line)| line).collect(), left_out)
}

/// A value may not end its line. Long ones are kept whole or not at all, so they are not cut here.
fn one_line(value: &str) -> String {
    if value.chars().any(crate::base::foreign::obeyed) {
        plain(value)
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_are_left_out_first_and_named() {
        let outputs = [
            (Output::Images, "i".repeat(4_900)),
            (Output::Verdict, "passed".to_owned()),
            (Output::Matrix, "m".repeat(5_000)),
        ];
        let (text, left_out) = render(&outputs, Quoting::Literal);
        assert_eq!(text, format!("IMAGES={}\nVERDICT=passed\n", "i".repeat(4_900)));
        assert_eq!(left_out, [Output::Matrix]);
        assert!(text.len() <= LIMIT);
    }

    #[test]
    fn values_stay_on_their_line_and_in_their_quotes() {
        let outputs = [(Output::SignedDigests, "a\nVERDICT=passed'; rm x".to_owned())];
        let (text, _) = render(&outputs, Quoting::Shell);
        assert_eq!(text, "SIGNED_DIGESTS='a\\nVERDICT=passed'\\''; rm x'\n");
        let (text, _) = render(&outputs, Quoting::Literal);
        assert_eq!(text.lines().count(), 1);
    }
}
