//! What a service's bad answer means: one reading of status, error code and body for all four services.
//!
//! Sources: AWS Signer API reference and STS API reference, "Common Errors"; the error sections of `SignPayload`,
//! `GetRevocationStatus`, `GetAuthorizationToken` and `AssumeRoleWithWebIdentity`.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::credentials::IdentityError;
use super::http::{ANOTHER, EMPTY, TOO_LARGE};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};

/// An operation of a service did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{service} {operation}{}", request(self.request_id.as_ref()))]
pub struct ServiceError {
    /// `AWS Signer`, `STS`, …
    pub service: &'static str,
    /// `SignPayload`, …
    pub operation: &'static str,
    /// What came instead.
    #[source]
    pub problem: Problem,
    /// The service's own number of the request, for its support.
    pub request_id: Option<Foreign>,
}

fn request(id: Option<&Foreign>) -> String {
    id.map(|id| format!(" (request {})", id.quote()))
        .unwrap_or_default()
}

/// What came instead of a good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An error that the service itself reports.
    #[error("{status} {}{}", code.quote(), said(message.as_ref()))]
    Reported {
        /// HTTP status.
        status: u16,
        /// The error's name.
        code: Foreign,
        /// The service's words.
        message: Option<Foreign>,
    },
    /// Something that this service does not say: HTML, half a document, an empty body.
    #[error("expected an answer of the service, found status {status} with {}", start.quote())]
    Nonsense {
        /// HTTP status.
        status: u16,
        /// How the body begins; of an answer with a good status only its type, since it may hold credentials.
        start: Foreign,
    },
    /// No answer, or none that was read to its end.
    #[error("no answer ({0})")]
    Unreachable(String),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The request could not be signed, since there are no credentials.
    #[error("no credentials")]
    Identity(#[source] Box<IdentityError>),
}

/// The service's words; of long ones also the end, where AWS says which policy lacks what.
fn said(message: Option<&Foreign>) -> String {
    let Some(message) = message else {
        return String::new();
    };
    let end = message
        .raw()
        .char_indices()
        .rev()
        .nth(END_CHARS - 1)
        .map(|(at, _)| at);
    let end = end
        .filter(|at| *at >= END_CHARS)
        .and_then(|at| message.raw().get(at..));
    match end {
        Some(end) => format!(": {} {}", message.quote(), quote(end)),
        None => format!(": {}", message.quote()),
    }
}

/// How much of the end of a long message is shown; a quotation shows as much of its beginning.
const END_CHARS: usize = 80;

/// What a problem calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wait and ask again.
    Throttled,
    /// Rights or credentials are lacking.
    Refused,
    /// The thing named is not there.
    Missing,
    /// The request itself is wrong.
    Invalid,
    /// The credentials or the token ran out.
    Expired,
    /// The service is not well, or not there.
    Unavailable,
}

impl Problem {
    /// What it calls for, by error code first and status second.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Reported { status, code, .. } => kind_of(*status, code.raw()),
            Self::Nonsense { status: 429, .. } => Kind::Throttled,
            Self::Nonsense { .. } | Self::Unreachable(_) | Self::Timeout => Kind::Unavailable,
            Self::Identity(error) => match error.class() {
                Class::Unavailable => Kind::Unavailable,
                Class::Usage => Kind::Invalid,
                _ => Kind::Refused,
            },
        }
    }

    /// The service's error code, where it reports one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Reported { code, .. } => Some(code.raw()),
            _ => None,
        }
    }

    /// The service's words, where it says any.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Reported { message, .. } => message.as_ref().map(Foreign::raw),
            _ => None,
        }
    }
}

fn kind_of(status: u16, code: &str) -> Kind {
    match code {
        "TooManyRequestsException"
        | "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "SlowDown" => Kind::Throttled,
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Kind::Expired,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OptInRequired"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidIdentityToken"
        | "IDPRejectedClaim" => Kind::Refused,
        "ResourceNotFoundException" | "NotFoundException" => Kind::Missing,
        "ValidationException"
        | "ValidationError"
        | "BadRequestException"
        | "InvalidParameterException"
        | "InvalidParameterValue"
        | "MalformedPolicyDocument"
        | "PackedPolicyTooLarge"
        | "RegionDisabledException" => Kind::Invalid,
        _ => match status {
            429 => Kind::Throttled,
            401 | 403 => Kind::Refused,
            _ => Kind::Unavailable,
        },
    }
}

impl ServiceError {
    /// Reads what the SDK reports; public for those who try what it makes of foreign bytes.
    pub fn of<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
        service: &'static str,
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> Self {
        let raw = error.raw_response();
        let id = raw.and_then(|raw| {
            let headers = raw.headers();
            headers
                .get("x-amzn-requestid")
                .or_else(|| headers.get("x-amz-request-id"))
        });
        Self {
            service,
            operation,
            problem: problem(error),
            request_id: id.map(Foreign::new),
        }
    }

    /// An answer of a good status that lacks what it must hold.
    pub(super) fn lacking(service: &'static str, operation: &'static str, what: &str) -> Self {
        Self {
            service,
            operation,
            problem: Problem::Unreachable(format!("the answer holds no {what}")),
            request_id: None,
        }
    }
}

fn problem<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
    error: &SdkError<E, HttpResponse>,
) -> Problem {
    if let Some(identity) = identity_in(error) {
        return Problem::Identity(Box::new(identity));
    }
    match (error, error.raw_response()) {
        (SdkError::ServiceError(service), _) => reported(service.err(), service.raw()),
        (_, Some(raw)) => nonsense(raw),
        (SdkError::TimeoutError(_), _) => Problem::Timeout,
        (SdkError::DispatchFailure(failure), _) if failure.is_timeout() => Problem::Timeout,
        (SdkError::DispatchFailure(_), _) => Problem::Unreachable(innermost(error)),
        _ => Problem::Unreachable("the request could not be made".to_owned()),
    }
}

fn reported(error: &impl ProvideErrorMetadata, raw: &HttpResponse) -> Problem {
    match error.code() {
        Some(code) if !raw.status().is_success() => Problem::Reported {
            status: raw.status().as_u16(),
            code: Foreign::new(code),
            message: error.message().map(Foreign::new),
        },
        _ => nonsense(raw),
    }
}

fn nonsense(raw: &HttpResponse) -> Problem {
    let start = if raw.status().is_success() {
        Foreign::new(raw.headers().get("content-type").unwrap_or("no content type"))
    } else {
        Foreign::from_bytes(raw.body().bytes().unwrap_or_default())
    };
    Problem::Nonsense {
        status: raw.status().as_u16(),
        start,
    }
}

/// Our own error, where the SDK wrapped it on its way from the credentials provider.
fn identity_in(error: &(dyn std::error::Error + 'static)) -> Option<IdentityError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(identity) = error.downcast_ref::<IdentityError>() {
            return Some(identity.clone());
        }
        next = error.source();
    }
    None
}

/// The last cause of a chain, in words that hold no address and nothing from outside.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    match text.as_str() {
        TOO_LARGE | EMPTY | ANOTHER => text,
        _ => Foreign::new(text).quote().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_before_the_status() {
        for (status, code, kind) in [
            (429, "TooManyRequestsException", Kind::Throttled),
            (400, "ThrottlingException", Kind::Throttled),
            (400, "Throttling", Kind::Throttled),
            (429, "", Kind::Throttled),
            (400, "ExpiredTokenException", Kind::Expired),
            (403, "ExpiredToken", Kind::Expired),
            (403, "AccessDeniedException", Kind::Refused),
            (400, "UnrecognizedClientException", Kind::Refused),
            (403, "SomethingNew", Kind::Refused),
            (404, "ResourceNotFoundException", Kind::Missing),
            (404, "SomethingNew", Kind::Unavailable),
            (400, "ValidationException", Kind::Invalid),
            (400, "IDPCommunicationError", Kind::Unavailable),
            (500, "InternalServiceErrorException", Kind::Unavailable),
        ] {
            assert_eq!(kind_of(status, code), kind, "{status} {code}");
        }
    }

    #[test]
    fn messages_name_service_operation_and_request() {
        let error = ServiceError {
            service: "AWS Signer",
            operation: "SignPayload",
            problem: Problem::Reported {
                status: 403,
                code: Foreign::new("AccessDeniedException"),
                message: Some(Foreign::new("no\n::error::")),
            },
            request_id: Some(Foreign::new("1-2")),
        };
        assert_eq!(error.to_string(), r#"AWS Signer SignPayload (request "1-2")"#);
        let long = format!(
            "User: {} is not authorized because {}",
            "x".repeat(80),
            "y".repeat(70)
        );
        assert!(said(Some(&Foreign::new(long))).ends_with(&format!("because {}\"", "y".repeat(70))));
        assert_eq!(
            error.problem.to_string(),
            r#"403 "AccessDeniedException": "no\n::error::""#
        );
    }
}
