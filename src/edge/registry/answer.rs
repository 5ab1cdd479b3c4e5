//! What a registry answered, and what that means: absent, refused, unavailable and tampered are never mixed.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::base::foreign::{Foreign, quote};
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::Cursor;
use crate::seams::StoreProblem;

/// Most of an error body that is read, in bytes (ours).
pub(super) const ERROR_BYTES: usize = 65_536;

/// Bounds of an error body.
const ERROR_BOUNDS: Bounds = Bounds {
    bytes: ERROR_BYTES,
    depth: 16,
    values: 1_000,
};

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// What was asked, as events name it.
    pub(super) operation: &'static str,
    /// The status.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body, as far as it was read.
    pub(super) body: Vec<u8>,
    /// Whether there was more of the body than may be read.
    pub(super) cut: bool,
}

/// A problem and how to fix it, before it is said of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The problem.
    pub(super) problem: StoreProblem,
    /// How to fix it.
    pub(super) hint: Option<String>,
}

impl Trouble {
    /// The registry did not answer well.
    pub(super) fn unavailable(what: impl Into<String>) -> Self {
        Self {
            problem: StoreProblem::Unavailable(what.into()),
            hint: None,
        }
    }

    /// The registry refused.
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self {
            problem: StoreProblem::Refused(what.into()),
            hint: None,
        }
    }

    /// The bytes are not what they must be.
    pub(super) fn tampered(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            problem: StoreProblem::Tampered {
                expected: expected.into(),
                found: found.into(),
            },
            hint: None,
        }
    }

    /// The caller asked for what cannot be.
    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self {
            problem: StoreProblem::Usage(what.into()),
            hint: None,
        }
    }

    /// The same with a hint.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One entry of an error body (OCI distribution specification 1.1, "Error Codes").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryError {
    /// `DENIED`, `MANIFEST_UNKNOWN`, …; empty where there is none.
    pub code: Foreign,
    /// What the registry says about it.
    pub message: Foreign,
}

/// Reads the entries of an error body; a body of another form has none.
///
/// ```
/// use countersign::edge::registry::error_body;
/// let found = error_body(br#"{"errors":[{"code":"DENIED","message":"no","detail":{}}]}"#);
/// assert_eq!(found[0].code.raw(), "DENIED");
/// assert_eq!(error_body(b"<html>"), []);
/// ```
pub fn error_body(body: &[u8]) -> Vec<RegistryError> {
    let Ok(document) = json::read(body, ERROR_BOUNDS) else {
        return Vec::new();
    };
    let Ok(top) = document.cursor().object() else {
        return Vec::new();
    };
    let Some(errors) = top.optional("errors").and_then(|errors| errors.array().ok()) else {
        return Vec::new();
    };
    let entry = |cursor: &Cursor<'_>| {
        let object = cursor.object().ok()?;
        let text = |name: &str| {
            let member = object.optional(name);
            Foreign::new(member.and_then(|member| member.string().ok()).unwrap_or_default())
        };
        Some(RegistryError {
            code: text("code"),
            message: text("message"),
        })
    };
    errors.iter().filter_map(entry).take(8).collect()
}

/// Codes that mean "not now", whatever the status (distribution specification; AWS common errors).
const THROTTLES: [&str; 5] = [
    "TOOMANYREQUESTS",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
];

impl Answer {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type of the body, without parameters, in lower case.
    pub(super) fn content_type(&self) -> Option<String> {
        let value = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let (bare, _) = value.split_once(';').unwrap_or((value, ""));
        Some(bare.trim().to_ascii_lowercase())
    }

    /// Whether the body is a web page, which no registry serves.
    pub(super) fn is_page(&self) -> bool {
        self.content_type()
            .is_some_and(|kind| kind == "text/html" || kind == "application/xhtml+xml")
    }

    /// The errors that the body names.
    pub(super) fn errors(&self) -> Vec<RegistryError> {
        if self.status < 400 {
            return Vec::new();
        }
        error_body(&self.body)
    }

    /// Whether the body names this error code.
    pub(super) fn says(&self, code: &str) -> bool {
        self.errors().iter().any(|error| error.code.raw() == code)
    }

    /// Whether asking again may help: 408, 429, 5xx, or a code that says so.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..=599) || self.is_throttled()
    }

    /// Whether the service wants fewer requests.
    pub(super) fn is_throttled(&self) -> bool {
        self.status == 429 || THROTTLES.iter().any(|code| self.says(code))
    }

    /// Whether the login is no longer taken: 401, or 403 with words that say it expired (ECR: "Your authorization
    /// token has expired. Reauthenticate and try again.").
    pub(super) fn wants_login(&self) -> bool {
        self.status == 401
            || (self.status == 403
                && self.errors().iter().any(|error| {
                    let message = error.message.raw().to_ascii_lowercase();
                    message.contains("token") && message.contains("expired")
                }))
    }

    /// How long the service asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry_after(value, self.headers.get(DATE).and_then(|date| date.to_str().ok()))
    }

    /// `404 MANIFEST_UNKNOWN ("manifest unknown")`, or `502 and a web page`.
    pub(super) fn words(&self) -> String {
        let mut words = self.status.to_string();
        if let Some(error) = self.errors().first() {
            let code = error.code.raw();
            let plain = !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if plain && code.len() <= 40 {
                let _ = write!(words, " {code}");
            }
            if !error.message.raw().is_empty() {
                let _ = write!(words, " ({})", error.message.quote());
            }
        } else if self.is_page() {
            words.push_str(" and a web page");
        } else if !self.body.is_empty() && self.status >= 400 {
            let _ = write!(
                words,
                " ({})",
                Foreign::from_bytes(self.body.trim_ascii()).quote()
            );
        }
        words
    }

    /// What an answer that is not the wanted one means.
    pub(super) fn trouble(&self) -> Trouble {
        let words = format!("the registry answered {}", self.words());
        if self.is_page() && self.status != 401 && self.status != 403 {
            return Trouble::unavailable(words)
                .hint("no registry answers with web pages; check the host's name, and whether a proxy stands between");
        }
        if self.is_passing() {
            return Trouble::unavailable(words);
        }
        if let Some(trouble) = self.told_apart(&words) {
            return trouble;
        }
        match self.status {
            403 => self.forbidden(words),
            401 | 405 | 407 | 413 | 451 => Trouble::refused(words),
            404 | 410 => Trouble {
                problem: StoreProblem::Missing(words),
                hint: None,
            },
            _ => Trouble::unavailable(words),
        }
    }

    /// What was not allowed, with the right that it takes.
    fn forbidden(&self, words: String) -> Trouble {
        let trouble = Trouble::refused(words);
        match right(self.operation) {
            Some((to, actions)) => trouble.hint(format!(
                "the login may not {to}; on Amazon ECR that takes {actions} on the repository"
            )),
            None => trouble,
        }
    }

    /// Whether an error's message holds this, in lower case.
    fn mentions(&self, needle: &str) -> bool {
        let errors = self.errors();
        errors
            .iter()
            .any(|error| error.message.raw().to_ascii_lowercase().contains(needle))
    }

    /// Whether a tag was to be moved that stays where it is (Amazon ECR: "cannot be overwritten because the repository
    /// is immutable").
    pub(super) fn is_of_immutable_tag(&self) -> bool {
        self.mentions("immutable")
    }

    /// The meaning of error codes that outweighs the status.
    fn told_apart(&self, words: &str) -> Option<Trouble> {
        if self.says("UNSUPPORTED") && self.mentions("imagemanifest") {
            return Some(Trouble::refused(words).hint(
                "Amazon ECR answers this to media types and artifact types with parameters (;version=…) or without \
                 a slash, and to manifests that are not OCI 1.1; use plain type/subtype names",
            ));
        }
        if self.is_of_immutable_tag() {
            return Some(Trouble::refused(words).hint(
                "tags of this repository cannot be moved, and it keeps referrers under tags; exclude sha256-* from \
                 tag immutability or use a registry with the referrers API",
            ));
        }
        if self.says("DENIED") || self.says("UNAUTHORIZED") {
            return Some(self.forbidden(words.to_owned()));
        }
        if self.says("NAME_UNKNOWN") {
            return Some(Trouble {
                problem: StoreProblem::Missing(words.to_owned()),
                hint: Some("the repository is not there; check its name, or create it".to_owned()),
            });
        }
        if self.says("MANIFEST_BLOB_UNKNOWN") {
            return Some(Trouble::unavailable(words));
        }
        [
            "MANIFEST_INVALID",
            "NAME_INVALID",
            "TAG_INVALID",
            "SIZE_INVALID",
            "UNSUPPORTED",
        ]
        .iter()
        .any(|code| self.says(code))
        .then(|| Trouble::refused(words))
    }
}

/// What an operation does, and the actions that Amazon ECR asks for it (service authorization reference, "Actions,
/// resources, and condition keys for Amazon Elastic Container Registry").
fn right(operation: &str) -> Option<(&'static str, &'static str)> {
    match operation {
        "GET manifest" => Some(("read manifests", "ecr:BatchGetImage")),
        "GET referrers" => Some(("list referrers", "ecr:BatchGetImage")),
        "GET blob" => Some(("read blobs", "ecr:GetDownloadUrlForLayer")),
        "HEAD blob" => Some(("look for blobs", "ecr:BatchCheckLayerAvailability")),
        "POST upload" | "PUT blob" => Some((
            "store blobs",
            "ecr:InitiateLayerUpload, ecr:UploadLayerPart and ecr:CompleteLayerUpload",
        )),
        "PUT manifest" => Some(("store manifests", "ecr:PutImage")),
        "DELETE manifest" => Some(("delete manifests", "ecr:BatchDeleteImage")),
        _ => None,
    }
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds, or a date that is measured against the server's own `Date`.
///
/// ```
/// use std::time::Duration;
/// use countersign::edge::registry::retry_after;
/// assert_eq!(retry_after("7", None), Some(Duration::from_secs(7)));
/// let (then, now) = ("Wed, 21 Oct 2026 07:28:05 GMT", "Wed, 21 Oct 2026 07:28:00 GMT");
/// assert_eq!(retry_after(then, Some(now)), Some(Duration::from_secs(5)));
/// assert_eq!(retry_after("soon", None), None);
/// ```
pub fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let moment = |text: &str| OffsetDateTime::parse(text.trim(), &Rfc2822).ok();
    let wait = moment(value)? - moment(date?)?;
    Some(Duration::from_secs(
        u64::try_from(wait.whole_seconds()).unwrap_or(0),
    ))
}

/// The trouble of a body that is larger than may be read.
pub(super) fn over_limit(limit: usize) -> Trouble {
    Trouble::unavailable(format!(
        "the answer is larger than the {limit} bytes allowed for it"
    ))
}

/// The trouble of an answer of another media type than can be read.
pub(super) fn foreign_type(expected: &str, found: Option<&str>) -> Trouble {
    let found = found.map_or("none".to_owned(), |found| quote(found).to_string());
    Trouble::unavailable(format!("expected {expected}, found the media type {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    fn answer(status: u16, kind: &'static str, body: &str) -> Answer {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Answer {
            operation: "PUT manifest",
            status,
            headers,
            body: body.as_bytes().to_vec(),
            cut: false,
        }
    }

    fn error(status: u16, code: &str, message: &str) -> Answer {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]});
        answer(status, "application/json", &body.to_string())
    }

    #[test]
    fn every_status_and_code_has_one_meaning() {
        use crate::base::failure::{Class, Class::*, Classified as _};
        let class = |answer: &Answer| -> Class {
            let problem = answer.trouble().problem;
            crate::seams::StoreError {
                verb: "read",
                what: String::new(),
                problem,
                hint: None,
            }
            .class()
        };
        for (status, code, expected) in [
            (400, "MANIFEST_INVALID", Refused),
            (400, "TAG_INVALID", Refused),
            (400, "ThrottlingException", Unavailable),
            (400, "SOMETHING", Unavailable),
            (400, "DENIED", Refused),
            (401, "UNAUTHORIZED", Refused),
            (401, "", Refused),
            (403, "DENIED", Refused),
            (403, "", Refused),
            (403, "TOOMANYREQUESTS", Unavailable),
            (404, "NAME_UNKNOWN", Missing),
            (404, "MANIFEST_UNKNOWN", Missing),
            (404, "BLOB_UNKNOWN", Missing),
            (404, "MANIFEST_BLOB_UNKNOWN", Unavailable),
            (404, "DENIED", Refused),
            (404, "", Missing),
            (405, "UNSUPPORTED", Refused),
            (408, "", Unavailable),
            (410, "", Missing),
            (429, "TOOMANYREQUESTS", Unavailable),
            (429, "DENIED", Unavailable),
            (500, "DENIED", Unavailable),
            (502, "", Unavailable),
            (503, "UNAVAILABLE", Unavailable),
            (301, "", Unavailable),
            (200, "", Unavailable),
        ] {
            assert_eq!(class(&error(status, code, "words")), expected, "{status} {code}");
            let plain = answer(status, "text/plain", "404 page not found");
            if code.is_empty() {
                assert_eq!(class(&plain), expected, "{status} as text");
            }
        }
        let denied = error(403, "DENIED", "no").trouble();
        assert!(denied.hint.unwrap().contains("ecr:PutImage"));
        for status in [200, 302, 404, 500] {
            let page = answer(status, "text/html; charset=utf-8", "<html>");
            assert_eq!(class(&page), Unavailable, "a page with {status}");
        }
        assert_eq!(class(&answer(403, "text/html", "<html>")), Refused);
    }

    #[test]
    fn the_texts_of_amazon_ecr_get_hints() {
        let types = error(
            405,
            "UNSUPPORTED",
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
        );
        assert!(types.trouble().hint.unwrap().contains("parameters"));
        let tag = error(
            400,
            "TAG_INVALID",
            "The image tag 'x' already exists in the 'r' repository and cannot be overwritten because the repository is immutable.",
        );
        assert!(tag.trouble().hint.unwrap().contains("immutab"));
        assert!(
            error(
                403,
                "DENIED",
                "Your authorization token has expired. Reauthenticate and try again."
            )
            .wants_login()
        );
        assert!(!error(403, "DENIED", "not authorized to perform ecr:PutImage").wants_login());
    }

    #[test]
    fn words_are_bounded_and_neutral() {
        let hostile = error(403, "DENIED\n::error::x", "\u{1b}[31m::set-output\n");
        assert_eq!(hostile.words(), r#"403 ("\u{1b}[31m::set-output\n")"#);
        assert_eq!(
            answer(404, "text/plain", "404 page not found\n").words(),
            r#"404 ("404 page not found")"#
        );
        assert_eq!(answer(502, "text/html", "<html>").words(), "502 and a web page");
        assert!(error(403, "DENIED", &"x".repeat(9_000)).words().len() < 200);
    }

    #[test]
    fn dates_in_the_past_mean_now_and_huge_numbers_mean_never() {
        let (then, now) = ("Wed, 21 Oct 2026 07:27:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(retry_after(then, Some(now)), Some(Duration::ZERO));
        assert_eq!(retry_after(then, None), None);
        assert_eq!(
            retry_after("99999999999999999999999", None),
            Some(Duration::from_secs(u64::MAX))
        );
        assert_eq!(retry_after("-1", None), None);
    }

    proptest! {
        #[test]
        fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(error_body(&bytes).len() <= 8);
        }

        #[test]
        fn no_date_panics(value in any::<String>(), date in any::<String>()) {
            let _ = retry_after(&value, Some(&date));
        }
    }
}
