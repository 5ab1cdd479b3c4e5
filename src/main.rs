//! The porch: starts the runtime, hands over the arguments, returns the exit code.

use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use countersign::app;

/// Where the last panic happened, for the message; never what it said.
static PANICKED_AT: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        *PANICKED_AT.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
    ExitCode::from(panic::catch_unwind(start).unwrap_or_else(|_| bug()))
}

fn start() -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_or_else(
        |_| bug(),
        |runtime| runtime.block_on(app::start(std::env::args_os().collect())),
    )
}

fn bug() -> u8 {
    let place = PANICKED_AT.lock().unwrap_or_else(PoisonError::into_inner).take();
    app::internal(place.as_deref())
}
