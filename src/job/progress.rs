//! Where one target is: its step, and what is public already, kept outside the work so that a work that is dropped
//! half-way still leaves an honest report.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::Stop;
use crate::base::failure::{Cause, Class};
use crate::domain::plan::Step;
use crate::domain::report::{Event, Failure};
use crate::seams::Observer;

/// How long work in flight may go on after a signal (GitHub grants 7.5 s between SIGINT and SIGTERM).
const GRACE: Duration = Duration::from_secs(5);

/// One target's progress.
#[derive(Debug)]
pub(super) struct Progress<'a, O> {
    observer: &'a O,
    target: usize,
    step: Cell<Step>,
    done: RefCell<Vec<String>>,
}

impl<'a, O: Observer> Progress<'a, O> {
    pub(super) fn new(observer: &'a O, target: usize) -> Self {
        Self {
            observer,
            target,
            step: Cell::new(Step::Resolve),
            done: RefCell::default(),
        }
    }

    /// A step begins.
    pub(super) fn begin(&self, step: Step) {
        self.step.set(step);
        self.observer.on(&Event::StepStarted {
            target: self.target,
            step,
        });
    }

    /// The step that began last is done.
    pub(super) fn end(&self, what: impl Into<String>) {
        self.observer.on(&Event::StepDone {
            target: self.target,
            step: self.step.get(),
            what: what.into(),
        });
    }

    /// Something can be seen by everyone from now on.
    pub(super) fn published(&self, what: String) {
        self.done.borrow_mut().push(what);
    }

    /// A failure in the step that began last.
    pub(super) fn failure(&self, cause: Cause) -> Failure {
        Failure {
            target: Some(self.target),
            step: self.step.get(),
            cause,
            done: self.done.borrow().clone(),
        }
    }

    /// Runs a target's work within its deadline and the grace after a signal.
    pub(super) async fn guard<T>(
        &self,
        timeout: Duration,
        stop: &Stop,
        work: impl Future<Output = Result<T, Cause>>,
    ) -> Result<T, Failure> {
        let stopped = async {
            let signal = stop.stopped().await;
            tokio::time::sleep(GRACE).await;
            signal
        };
        let result = tokio::select! {
            biased;
            result = work => result,
            signal = stopped => Err(unavailable(format!("stopped by {} before it was done", signal.name()), "")),
            () = tokio::time::sleep(timeout) => {
                let late = format!("not done within {} s (input timeout)", timeout.as_secs_f64());
                Err(unavailable(late, ", and timeout may be longer"))
            }
        };
        result.map_err(|cause| self.failure(cause))
    }
}

fn unavailable(message: String, besides: &str) -> Cause {
    let hint = Some(format!(
        "run the same command again; what is done already is kept{besides}"
    ));
    Cause {
        class: Class::Unavailable,
        message,
        hint,
    }
}
