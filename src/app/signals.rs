//! SIGINT and SIGTERM become a wish to stop.

use tokio::signal::unix::{self, SignalKind};

use crate::job::{Signal, Stopper};

/// Handlers for both signals, in force from when they are made.
///
/// As the first process of a container nothing else would stop us: there a signal without a handler is ignored.
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Signals {
    pub(super) fn install() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
        })
    }

    /// Passes the first signal on, and gives up at the second interrupt.
    pub(super) async fn watch(mut self, stopper: Stopper) -> u8 {
        let mut interrupted = false;
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {
                    if interrupted {
                        return Signal::Interrupt.exit_code();
                    }
                    interrupted = true;
                    stopper.send(Signal::Interrupt);
                }
                _ = self.terminate.recv() => stopper.send(Signal::Terminate),
            }
        }
    }
}
