//! How fast and how often: retries as a value, and the bucket that keeps to a quota.
//!
//! For: waiting the right time before asking again, and not asking faster than a service's quota allows.
//! Not for: deciding whether an answer is worth asking again; the room that reads the answer knows.
//! Speaks: RFC 9110, 10.2.3 (`Retry-After`); the quotas are in the rooms that spend them.
//!
//! ```
//! use std::time::Duration;
//! use countersign::edge::pace::Retry;
//! assert_eq!(Retry::default().wait(1, 1.0), Duration::from_millis(250));
//! ```

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// How often a request is repeated and how long to wait in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The longest wait after the first attempt; it doubles with every further one.
    pub base: Duration,
    /// The longest wait of all.
    pub cap: Duration,
    /// The longest `Retry-After` that is waited for; beyond it the service counts as unavailable at once.
    pub patience: Duration,
}

impl Default for Retry {
    /// Four attempts, 250 ms doubling to 8 s, and a minute of patience (ours).
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(8),
            patience: Duration::from_mins(1),
        }
    }
}

impl Retry {
    /// The wait after that many attempts: between nothing and `base` doubled every time, at the place that `chance`
    /// (0 to 1) picks; "full jitter", so that many clients do not come back together.
    pub fn wait(&self, attempts: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let longest = self.base.saturating_mul(doubled).min(self.cap);
        longest.mul_f64(chance.clamp(0.0, 1.0))
    }

    /// The wait before the next attempt, or nothing if there is to be none: the attempts are used up, or the service
    /// asks for more patience than there is.
    pub fn next(&self, attempts: u32, asked: Option<Duration>) -> Option<Duration> {
        let patient = asked.is_none_or(|asked| asked <= self.patience);
        (attempts < self.attempts && patient)
            .then(|| self.wait(attempts, chance()).max(asked.unwrap_or_default()))
    }
}

/// A number from 0 to 1; 1 where the system has no randomness, which only makes waits longer.
fn chance() -> f64 {
    getrandom::u32().map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX))
}

/// A quota: so many per second, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Requests per second in the long run.
    pub per_second: f64,
    /// Requests at once after a pause.
    pub burst: f64,
}

impl Pace {
    /// Ten per second, ten at once: the default quota of Amazon ECR's `PutImage` (Amazon ECR user guide, "Service
    /// quotas") and of AWS Signer's `SignPayload` (AWS Signer developer guide, "Quotas").
    pub const TEN: Self = Self {
        per_second: 10.0,
        burst: 10.0,
    };
}

/// Keeps callers to a [`Pace`], first come, first served, and finds out where more is allowed.
///
/// Every caller is given the earliest moment at which the quota allows it (the generic cell rate algorithm). The quotas
/// of an account can be raised, and nobody tells by how much: as long as nothing was throttled, every burst that was
/// served doubles the pace. The first throttling answer ends that for good: back to the pace of the beginning, and
/// without bursts, since somebody else shares the quota (docs/decisions/0018-a-pace-that-grows.md).
#[derive(Debug)]
pub struct Bucket {
    pace: Pace,
    interval: Cell<Duration>,
    /// How long before the bucket is full again a turn may come.
    burst: Cell<Duration>,
    served: Cell<f64>,
    was_throttled: Cell<bool>,
    /// The moment at which the bucket would be full again.
    full_at: Cell<Option<Instant>>,
    /// Whoever is next waits here, the others behind.
    line: Mutex<()>,
}

impl Bucket {
    /// A full bucket.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            interval: Cell::new(interval(pace)),
            burst: Cell::new(interval(pace).mul_f64((pace.burst - 1.0).max(0.0))),
            served: Cell::new(0.0),
            was_throttled: Cell::new(false),
            full_at: Cell::new(None),
            line: Mutex::new(()),
        }
    }

    /// Waits for this caller's turn.
    pub async fn take(&self) {
        let _next = self.line.lock().await;
        // A throttling answer may put the turn off while it is waited for.
        while let Some(turn) = self.turn().filter(|turn| *turn > Instant::now()) {
            tokio::time::sleep_until(turn).await;
        }
        let now = Instant::now();
        let full_at = self.full_at.get().map_or(now, |at| at.max(now));
        self.full_at.set(Some(full_at + self.interval.get()));
    }

    /// The earliest moment for whoever is next; nothing where it is now.
    fn turn(&self) -> Option<Instant> {
        self.full_at.get()?.checked_sub(self.burst.get())
    }

    /// Is told that the service answered without throttling.
    pub fn served(&self) {
        if self.was_throttled.get() {
            return;
        }
        self.served.set(self.served.get() + 1.0);
        if self.served.get() >= self.pace.burst.max(1.0) {
            self.served.set(0.0);
            self.interval.set(self.interval.get() / 2);
        }
    }

    /// Is told that the service throttled: nobody's turn comes before the wait is over, bursts are over, and the pace
    /// is that of the beginning.
    pub fn throttled(&self, wait: Duration) {
        let until = Instant::now() + wait;
        self.was_throttled.set(true);
        self.interval.set(interval(self.pace));
        self.burst.set(Duration::ZERO);
        self.full_at
            .set(Some(self.full_at.get().map_or(until, |at| at.max(until))));
    }
}

/// The time between two requests in the long run.
fn interval(pace: Pace) -> Duration {
    Duration::from_secs_f64(1.0 / pace.per_second.max(0.001))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_cap_and_jitter_down_to_nothing() {
        let retry = Retry::default();
        let longest: Vec<u128> = (1..9)
            .map(|attempt| retry.wait(attempt, 1.0).as_millis())
            .collect();
        assert_eq!(longest, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
        assert_eq!(retry.wait(3, 0.0), Duration::ZERO);
        assert_eq!(retry.wait(u32::MAX, 2.0), retry.cap);
    }

    #[test]
    fn attempts_end_and_patience_too() {
        let retry = Retry::default();
        assert!(retry.next(3, None).is_some());
        assert_eq!(retry.next(4, None), None);
        assert!(
            retry
                .next(1, Some(Duration::from_secs(9)))
                .is_some_and(|wait| wait >= Duration::from_secs(9))
        );
        assert_eq!(retry.next(1, Some(Duration::from_secs(61))), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_lets_a_burst_through_and_then_keeps_the_pace() {
        let bucket = Bucket::new(Pace::TEN);
        let start = Instant::now();
        let mut at = Vec::new();
        for _ in 0..13 {
            bucket.take().await;
            at.push(start.elapsed().as_millis());
        }
        assert_eq!(at.get(..10).unwrap_or_default(), [0; 10]);
        assert!(
            (95..=105).contains(&at[10]) && (295..=305).contains(&at[12]),
            "{at:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_throttle_nobody_goes_early_and_bursts_are_over() {
        let bucket = Bucket::new(Pace::TEN);
        bucket.throttled(Duration::from_secs(2));
        let start = Instant::now();
        bucket.take().await;
        assert_eq!(start.elapsed().as_secs(), 2);
        tokio::time::sleep(Duration::from_mins(1)).await;
        let start = Instant::now();
        bucket.take().await;
        bucket.take().await;
        assert!(start.elapsed() >= Duration::from_millis(95));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_served_quickens_the_pace_until_something_is_throttled() {
        let bucket = Bucket::new(Pace::TEN);
        let hundred = async || {
            let start = Instant::now();
            for _ in 0..100 {
                bucket.take().await;
                bucket.served();
            }
            start.elapsed().as_millis()
        };
        let unhindered = hundred().await;
        assert!((500..2500).contains(&unhindered), "{unhindered} ms");
        assert!(hundred().await < 100);
        bucket.throttled(Duration::from_secs(1));
        let kept = hundred().await;
        assert!((10_500..=11_100).contains(&kept), "{kept} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_puts_off_whoever_is_waiting_already() {
        let bucket = Bucket::new(Pace {
            per_second: 10.0,
            burst: 1.0,
        });
        bucket.take().await;
        let start = Instant::now();
        let throttle = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            bucket.throttled(Duration::from_secs(3));
        };
        tokio::join!(bucket.take(), throttle);
        assert_eq!(start.elapsed().as_millis(), 3_050);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_callers_keep_their_order() {
        let bucket = Bucket::new(Pace {
            per_second: 10.0,
            burst: 1.0,
        });
        let order = std::cell::RefCell::new(Vec::new());
        let callers = (0..5).map(|n| {
            let (bucket, order) = (&bucket, &order);
            async move {
                bucket.take().await;
                order.borrow_mut().push(n);
            }
        });
        futures_util::future::join_all(callers).await;
        assert_eq!(order.into_inner(), [0, 1, 2, 3, 4]);
    }
}
