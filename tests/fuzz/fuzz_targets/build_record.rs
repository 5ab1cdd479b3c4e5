//! What a build service answers about a build: the record found is that of the build asked about, and keeps nothing of
//! what it was not asked for.
#![no_main]

use countersign::domain::provenance::BuildRecord;
use libfuzzer_sys::fuzz_target;

const ARN: &str = "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f";

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(record)) = BuildRecord::find(bytes, ARN) {
        assert_eq!(record.arn(), ARN);
        assert_eq!(record.text("arn").as_deref(), Some(ARN));
        assert_eq!(record.is_running(), record.status() == "IN_PROGRESS");
        assert_eq!(record.text("startTime").is_some(), record.started().is_some());
    }
});
