//! Faults as scripts, not dice: on this operation, on these calls, this happens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http::{Body, Response};

/// Which calls of an operation are hit, counted from 1 since the fault was scripted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The nth alone.
    Nth(usize),
    /// The first n.
    First(usize),
    /// The nth and all after it.
    From(usize),
    /// Each.
    Always,
}

impl When {
    fn hits(self, call: usize) -> bool {
        match self {
            Self::Nth(n) => call == n,
            Self::First(n) => call <= n,
            Self::From(n) => call >= n,
            Self::Always => true,
        }
    }
}

/// What goes wrong.
#[derive(Clone)]
pub enum Fault {
    /// This answer instead of the service's, which is not asked.
    Answer(Response),
    /// The connection is reset before a byte of the answer; the service is not asked.
    Reset,
    /// The service acts, then the connection is reset: the answer is lost.
    LoseAnswer,
    /// The service acts, but its answer never comes.
    Stall,
    /// The head and this many bytes of the body come, then nothing, for ever.
    StallAfter(usize),
    /// The head and this many bytes of the body come, then the connection is reset.
    TruncateAfter(usize),
    /// The lowest bit of the body's nth byte (counted from 0, modulo its length) is flipped.
    FlipByte(usize),
    /// The service's answer, changed.
    Edit(Arc<dyn Fn(&mut Response) + Send + Sync>),
    /// Something happens before the service is asked: a token expires, a tag moves.
    Before(Arc<dyn Fn() + Send + Sync>),
    /// The answer comes later.
    Delay(Duration),
}

impl Fault {
    /// A status with a body of plain text.
    pub fn status(status: u16) -> Self {
        Self::Answer(Response::text(status, "scripted fault"))
    }

    /// A status with an error body as the OCI distribution specification has it ("Error Codes").
    pub fn registry_error(status: u16, code: &str, message: &str) -> Self {
        Self::Answer(Response::registry_error(status, code, message))
    }

    /// 429 with `Retry-After`, in seconds or as a date.
    pub fn throttle(retry_after: &str) -> Self {
        let answer = Response::registry_error(429, "TOOMANYREQUESTS", "Rate exceeded");
        Self::Answer(answer.with("retry-after", retry_after))
    }

    /// An HTML page with a status, as a captive portal or a wrong host gives.
    pub fn html(status: u16) -> Self {
        let page = "<!DOCTYPE html><html><body>Sign in to continue</body></html>";
        Self::Answer(
            Response::new(status)
                .with("content-type", "text/html; charset=utf-8")
                .body(page),
        )
    }

    /// 200 with this many zero bytes.
    pub fn huge(content_type: &str, bytes: u64) -> Self {
        let mut answer = Response::new(200).with("content-type", content_type);
        answer.body = Body::Zeros(bytes);
        Self::Answer(answer)
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::Answer(Response::new(status).with("location", location))
    }

    /// A header of the service's answer, set or replaced.
    pub fn header(name: &'static str, value: &str) -> Self {
        let value = value.to_owned();
        Self::edit(move |response| response.set(name, &value))
    }

    /// A header of the service's answer taken away.
    pub fn without_header(name: &'static str) -> Self {
        Self::edit(move |response| response.remove(name))
    }

    /// The service's answer changed by a function.
    pub fn edit(change: impl Fn(&mut Response) + Send + Sync + 'static) -> Self {
        Self::Edit(Arc::new(change))
    }

    /// Something that happens before the service is asked.
    pub fn before(act: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Before(Arc::new(act))
    }
}

struct Script {
    service: String,
    operation: String,
    when: When,
    calls: usize,
    fault: Fault,
}

/// The faults of a world.
#[derive(Default)]
pub struct Faults(Mutex<Vec<Script>>);

impl Faults {
    /// Adds a fault; several may hit the same call and apply in the order they were scripted.
    pub fn script(&self, service: &str, operation: &str, when: When, fault: Fault) {
        self.0.lock().unwrap().push(Script {
            service: service.to_owned(),
            operation: operation.to_owned(),
            when,
            calls: 0,
            fault,
        });
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// Counts a call and returns what hits it.
    pub(super) fn hit(&self, service: &str, operation: &str) -> Vec<Fault> {
        let mut hit = Vec::new();
        for script in self.0.lock().unwrap().iter_mut() {
            if script.service == service && script.operation == operation {
                script.calls += 1;
                if script.when.hits(script.calls) {
                    hit.push(script.fault.clone());
                }
            }
        }
        hit
    }
}
