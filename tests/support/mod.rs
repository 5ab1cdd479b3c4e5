//! A small world in one process: every service that countersign talks to, on loopback, on ports that the system
//! chooses, with scripted faults and a ledger of every request.
//!
//! A service is a value that implements [`http::Service`]: it names the operation of a request and answers it,
//! synchronously, from memory. The world puts it on a port, applies the faults that the test scripted for that
//! operation, adds latency, and notes the request. It runs on a thread of its own, so it serves tests of the library
//! and child processes alike.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "where the small world cannot go on, the test has failed"
)]

pub mod aws;
pub mod buildkit;
pub mod fault;
pub mod http;
pub mod ledger;
pub mod pki;
pub mod proxy;
pub mod registry;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fault::{Fault, Faults, When};
use http::Service;
use ledger::Ledger;

/// The world: servers on loopback that stop when it is dropped.
pub struct World {
    shared: Arc<Shared>,
    runtime: tokio::runtime::Handle,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What every server of a world shares.
pub struct Shared {
    /// Every request.
    pub ledger: Ledger,
    /// What goes wrong.
    pub faults: Faults,
    latency: Mutex<Duration>,
    began: Instant,
}

impl Shared {
    /// How long every answer waits.
    pub fn latency(&self) -> Duration {
        *self.latency.lock().unwrap()
    }

    /// Time since the world began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl World {
    /// Starts an empty world.
    pub fn new() -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let handle = runtime.handle().clone();
        let thread = std::thread::spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        });
        let shared = Shared {
            ledger: Ledger::default(),
            faults: Faults::default(),
            latency: Mutex::new(Duration::ZERO),
            began: Instant::now(),
        };
        Self {
            shared: Arc::new(shared),
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Puts a service on a port of 127.0.0.1 and returns the address.
    pub fn serve(&self, service: Arc<dyn Service>) -> SocketAddr {
        http::serve(&self.runtime, Arc::clone(&self.shared), service, None)
    }

    /// The same with TLS.
    pub fn serve_tls(
        &self,
        service: Arc<dyn Service>,
        identity: Arc<tokio_rustls::rustls::ServerConfig>,
    ) -> SocketAddr {
        http::serve(&self.runtime, Arc::clone(&self.shared), service, Some(identity))
    }

    /// Every request so far.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Scripts a fault: on this operation of this service, on these calls, this happens.
    pub fn fault(&self, service: &str, operation: &str, when: When, fault: Fault) {
        self.shared.faults.script(service, operation, when, fault);
    }

    /// Forgets every scripted fault.
    pub fn no_more_faults(&self) {
        self.shared.faults.clear();
    }

    /// Lets every answer wait from now on.
    pub fn set_latency(&self, latency: Duration) {
        *self.shared.latency.lock().unwrap() = latency;
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
