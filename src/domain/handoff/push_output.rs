//! What `docker push` (F30) and `helm push` (F31) print.
//!
//! Sources: Docker documentation, `docker image push`; Helm documentation, `helm push`. crane's standard error has
//! lines that look alike and names no repository: it hands nothing over.

use super::input::Input;
use super::name::Style;
use super::reading::{Reading, Sought, Words};

/// F30: each digest belongs to the repository named last.
pub(super) fn read_docker(input: &Input<'_>, reading: &mut Reading) {
    let mut repository = None;
    for line in input.whole_lines() {
        if let Some(named) = repository_line(line.words) {
            repository = Some(named);
        } else if let (Some((tag, digest)), Some(repository)) = (digest_line(line.words), repository) {
            let digest = Sought::required(reading.digest_in(&line.part(digest)));
            let name = Words {
                text: format!("{repository}:{tag}").into(),
                spot: line.spot(tag),
            };
            reading.image(&name, &digest, Style::Tool);
        }
    }
    if reading.items.is_empty() && reading.problems.is_empty() && super::literal::is_list(input) {
        super::literal::read(input, reading);
    }
}

fn repository_line(line: &str) -> Option<&str> {
    line.split_once("refers to repository [")?.1.strip_suffix(']')
}

/// `TAG: digest: sha256:… size: N`.
fn digest_line(line: &str) -> Option<(&str, &str)> {
    let (tag, rest) = line.split_once(": digest: ")?;
    let (digest, size) = rest.split_once(" size: ")?;
    let is_number = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !tag.contains([' ', '/'])).then_some((tag, digest))
}

/// F31: two lines that belong together.
pub(super) fn read_helm(input: &Input<'_>, reading: &mut Reading) {
    let mut pushed = None;
    for line in input.whole_lines() {
        if let Some(name) = line.words.strip_prefix("Pushed: ") {
            pushed = Some(line.part(name.trim()));
        } else if let (Some(digest), Some(name)) = (line.words.strip_prefix("Digest: "), &pushed) {
            let digest = Sought::required(reading.digest_in(&line.part(digest.trim())));
            reading.image(name, &digest, Style::Tool);
            pushed = None;
        }
    }
}

/// D24.
pub(super) fn is_docker(input: &Input<'_>) -> bool {
    let mut lines = input.text.lines().map(str::trim);
    lines.any(|line| repository_line(line).is_some()) && lines.any(|line| digest_line(line).is_some())
}

/// D24.
pub(super) fn is_helm(input: &Input<'_>) -> bool {
    let mut lines = input.text.lines().map(str::trim);
    lines.any(|line| line.starts_with("Pushed: ")) && lines.any(|line| line.starts_with("Digest: sha"))
}
