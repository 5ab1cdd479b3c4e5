//! ARNs: whatever is accepted says itself again, and the narrower kinds are ARNs too.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use countersign::base::arn::{Arn, ProfileArn, ProfileVersionArn, RoleArn};
use libfuzzer_sys::fuzz_target;

fn says_itself<T: FromStr + Display>(text: &str) {
    if let Ok(arn) = text.parse::<T>() {
        assert_eq!(arn.to_string(), text);
        assert!(text.parse::<Arn>().is_ok());
    }
}

fuzz_target!(|text: &str| {
    says_itself::<Arn>(text);
    says_itself::<ProfileArn>(text);
    says_itself::<ProfileVersionArn>(text);
    says_itself::<RoleArn>(text);
    let version = text.parse::<ProfileVersionArn>().is_ok();
    assert!(!(version && text.parse::<ProfileArn>().is_ok()), "both a profile and a version of it");
});
