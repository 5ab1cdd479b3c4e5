//! `Retry-After` beside `Date`, in two lines: a number of seconds is itself, and nothing is negative.
#![no_main]

use std::time::Duration;

use countersign::edge::registry::retry_after;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (value, date) = text.split_once('\n').map_or((text, None), |(value, date)| (value, Some(date)));
    let wait = retry_after(value, date);
    if let Ok(seconds) = value.parse::<u32>()
        && !value.starts_with('+')
    {
        assert_eq!(wait, Some(Duration::from_secs(seconds.into())));
    }
});
