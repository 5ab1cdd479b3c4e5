//! What `docker push` (F30) and `helm push` (F31) print.
//!
//! Sources: Docker documentation, `docker image push`; Helm documentation, `helm push`. crane's standard error has
//! lines that look alike and names no repository: it hands nothing over.

use super::input::Input;
use super::name::{self, Style};
use super::reading::Reading;

/// F30: each digest belongs to the repository named last.
pub(super) fn read_docker(input: &Input<'_>, reading: &mut Reading) {
    let mut repository = None;
    for (number, line) in (1u32..).zip(input.text.lines().map(str::trim)) {
        if let Some(named) = repository_line(line) {
            repository = Some(named);
        } else if let (Some((tag, digest)), Some(repository)) = (digest_line(line), repository) {
            let at = input.spot(number);
            if let Some(digest) = reading.sound(&at, name::digest(digest)) {
                reading.image(&format!("{repository}:{tag}"), Some(&digest), Style::Tool, at);
            }
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
    for (number, line) in (1u32..).zip(input.text.lines().map(str::trim)) {
        if let Some(name) = line.strip_prefix("Pushed: ") {
            pushed = Some(name.trim());
        } else if let (Some(digest), Some(name)) = (line.strip_prefix("Digest: "), pushed) {
            let at = input.spot(number);
            if let Some(digest) = reading.sound(&at, name::digest(digest.trim())) {
                reading.image(name, Some(&digest), Style::Tool, at);
            }
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
