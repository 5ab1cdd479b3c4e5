//! The wish to stop, as a value that every waiting place can watch.

use tokio::sync::watch;

/// A signal that ends a run early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit code by the shell's convention: 128 and the signal's number.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// `SIGINT` or `SIGTERM`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// The end that asks to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Option<Signal>>);

/// The end that watches; start nothing new once [`Stop::signal`] is some.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<Signal>>);

/// A pair of both ends.
pub fn stop_channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks everyone to stop; the first signal counts.
    pub fn send(&self, signal: Signal) {
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(signal);
            }
            first
        });
    }
}

impl Stop {
    /// The signal that came, if one did.
    pub fn signal(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// Waits for a signal; forever, if the other end is gone.
    pub async fn stopped(&self) -> Signal {
        let mut receiver = self.0.clone();
        match receiver.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn the_first_signal_counts_and_wakes_those_who_wait() {
        let (stopper, stop) = stop_channel();
        stopper.send(Signal::Interrupt);
        stopper.send(Signal::Terminate);
        assert_eq!(stop.stopped().await, Signal::Interrupt);
        assert_eq!(stop.signal(), Some(Signal::Interrupt));
    }
}
