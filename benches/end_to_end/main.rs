//! What a run costs people and quotas: requests, waves, time and memory of the shipped program in the small world.
//!
//! ```text
//! cargo bench --bench end_to_end [-- SCENARIO…]
//! ```
//!
//! Scenarios: `requests`, `first`, `second`, `quotas`, `verify`, `resolve`, `start`; all without a name. Everything runs on
//! loopback. Numbers are printed beside what is aimed for and never asserted: they belong to the machine they were
//! taken on. docs/guides/measuring.md holds some, and says what they mean. `COUNTERSIGN_PROGRAM` names another program
//! to measure than the one that cargo built for this bench.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench that cannot go on has failed, and telling is what it is for"
)]

#[path = "../../tests/support/mod.rs"]
pub mod support;

mod purposes;
mod stage;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use purposes::purpose;
use stage::{Cost, Quotas, Stage, program};
use support::aws::ROLE;

/// A latency that makes waves visible above the noise of scheduling.
const VISIBLE: Duration = Duration::from_millis(60);

/// Runs of which the median is told.
const ROUNDS: usize = 3;

/// Starts of which the median is told.
const STARTS: usize = 21;

/// Requests a second of SignPayload, and of manifest PUTs (AWS Signer and Amazon ECR, default quotas).
const QUOTA: f64 = 10.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` comes without it, and a test is not to wait for measurements.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let named: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let all: [(&str, fn()); 7] = [
        ("requests", requests),
        ("first", first),
        ("second", second),
        ("quotas", quotas),
        ("verify", verify),
        ("resolve", resolve),
        ("start", start),
    ];
    println!("\n{}", program().display());
    for (name, scenario) in all {
        if named.is_empty() || named.contains(&name) {
            scenario();
        }
    }
}

/// One image, first and second run: every operation, how often and in which waves, and what for.
fn requests() {
    let stage = Stage::new(Quotas::None);
    let arguments = stage.run_arguments(&stage.images(1));
    for (which, limit) in [
        ("first run", "29 requests, 11 waves"),
        ("second run", "15 requests"),
    ] {
        let cost = stage.run(&arguments, VISIBLE);
        println!("\n## Requests of one image by digest, {which}\n");
        println!("| service | operation | requests | waves | what for |\n|---|---|--:|--:|---|");
        for ((service, operation), waves) in by_operation(&stage) {
            let count = waves.len();
            let waves = in_words(waves);
            println!(
                "| {service} | {operation} | {count} | {waves} | {} |",
                purpose(service, operation)
            );
        }
        println!(
            "\n{} requests in {} waves; aim: at most {limit}{}",
            cost.requests,
            cost.waves,
            trouble(&cost)
        );
    }
}

/// The waves of each operation, in the order of their first request.
fn by_operation(stage: &Stage) -> Vec<((&'static str, &'static str), Vec<usize>)> {
    let entries = stage.world.ledger().entries();
    let mut waves: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut order = Vec::new();
    for (entry, wave) in entries.iter().zip(stage.world.ledger().waves()) {
        let key = (entry.service, entry.operation);
        if !waves.contains_key(&key) {
            order.push(key);
        }
        waves.entry(key).or_default().push(wave);
    }
    order
        .into_iter()
        .map(|key| (key, waves.remove(&key).unwrap_or_default()))
        .collect()
}

/// `4, 5, 7`, each once.
fn in_words(mut waves: Vec<usize>) -> String {
    waves.sort_unstable();
    waves.dedup();
    let words: Vec<String> = waves.iter().map(ToString::to_string).collect();
    words.join(", ")
}

/// 1, 10 and 100 images that nobody signed.
fn first() {
    println!("\n## First run: images that nobody signed\n");
    head();
    for images in [1, 10, 100] {
        for latency in [0, 20, 50] {
            let costs = (0..rounds(images)).map(|_| {
                let stage = Stage::new(Quotas::None);
                let arguments = stage.run_arguments(&stage.images(images));
                stage.run(&arguments, Duration::from_millis(latency))
            });
            row(images, latency, &median(costs.collect()));
        }
    }
    println!("\nAims: 100 images at 20 ms in at most 6.5 s; below 24 MB for 1 image, below 40 MB for 100.");
}

/// The same images once more: nothing is to be signed or written.
fn second() {
    println!("\n## Second run: everything is in place\n");
    head();
    for images in [1, 10, 100] {
        let stage = Stage::new(Quotas::None);
        let arguments = stage.run_arguments(&stage.images(images));
        let first = stage.run(&arguments, Duration::ZERO);
        assert!(first.complaint.is_empty(), "{}", first.complaint);
        for latency in [0, 20, 50] {
            let costs = (0..rounds(images)).map(|_| stage.run(&arguments, Duration::from_millis(latency)));
            row(images, latency, &median(costs.collect()));
        }
    }
}

/// 100 images where the account has the quotas that AWS gives by default.
fn quotas() {
    let stage = Stage::new(Quotas::Real);
    let arguments = stage.run_arguments(&stage.images(100));
    let cost = stage.run(&arguments, Duration::from_millis(20));
    let count = |service: &str, operation: &str, status: u16| {
        let of = stage.world.ledger().of(service, operation);
        of.iter().filter(|entry| entry.status == status).count()
    };
    let (signings, manifests) = (
        count("signer", "SignPayload", 200),
        count("registry", "PUT manifest", 201),
    );
    let throttled = count("signer", "SignPayload", 429) + count("registry", "PUT manifest", 429);
    let floor = |done: usize| (as_float(done) - QUOTA).max(0.0) / QUOTA;
    let floor = floor(signings).max(floor(manifests));
    let wall = cost.wall.as_secs_f64();
    println!("\n## 100 images at 20 ms, with the quotas of a real account\n");
    println!("| signings | manifests | quota floor | wall | times the floor | aim | throttled | memory |");
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    println!(
        "| {signings} | {manifests} | {floor:.1} s | {wall:.2} s | {:.3} | 1.15 | {throttled} | {:.1} MB |{}",
        wall / floor,
        megabytes(&cost),
        trouble(&cost)
    );
}

/// Verification of signed images as a stranger does it.
fn verify() {
    println!("\n## `verify` of signed images\n");
    head();
    for images in [1, 10, 100] {
        let stage = Stage::new(Quotas::None);
        let names = stage.images(images);
        let signed = stage.run(&stage.run_arguments(&names), Duration::ZERO);
        assert!(signed.complaint.is_empty(), "{}", signed.complaint);
        let arguments = stage.verify_arguments(&names);
        for latency in [0, 20, 50] {
            let costs = (0..rounds(images)).map(|_| stage.run(&arguments, Duration::from_millis(latency)));
            row(images, latency, &median(costs.collect()));
        }
    }
}

/// Digests that `targets --resolve` asks the registry about: of an account's ECR, a hundred go into one request.
fn resolve() {
    println!("\n## `targets --resolve` at 50 ms\n");
    println!("| digests | wall | requests | waves | memory |\n|--:|--:|--:|--:|--:|");
    for images in [1, 100, 500] {
        let stage = Stage::new(Quotas::None);
        let mut arguments: Vec<String> = ["targets", "--resolve", "--role-arn", ROLE]
            .map(str::to_owned)
            .into();
        arguments.extend(stage.images(images));
        let cost = stage.run(&arguments, Duration::from_millis(50));
        println!(
            "| {images} | {:.2} s | {} | {} | {:.1} MB |{}",
            cost.wall.as_secs_f64(),
            cost.requests,
            cost.waves,
            megabytes(&cost),
            trouble(&cost)
        );
    }
    println!("\nAims: 500 in under 3 s, at most a request per digest (on ECR per hundred), memory flat.");
}

/// From the start of the process to its first connection.
fn start() {
    let stage = Stage::new(Quotas::None);
    let arguments = stage.run_arguments(&stage.images(1));
    let mut times: Vec<Duration> = (0..STARTS)
        .map(|_| until_first_connection(&stage, &arguments))
        .collect();
    times.sort_unstable();
    println!("\n## From the start of the process to its first connection\n");
    println!("| fastest | median | slowest | aim |\n|--:|--:|--:|--:|");
    println!(
        "| {:.1} ms | {:.1} ms | {:.1} ms | 10 ms |",
        milliseconds(times[0]),
        milliseconds(times[STARTS / 2]),
        milliseconds(times[STARTS - 1])
    );
}

/// Whoever starts the program is the proxy it dials, so that the first connection is seen at once.
fn until_first_connection(stage: &Stage, arguments: &[String]) -> Duration {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", socket.local_addr().unwrap());
    let mut command = stage.command(program());
    command.args(arguments).env("HTTPS_PROXY", proxy);
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let connection = socket.accept();
    let time = began.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(connection);
    time
}

fn head() {
    println!("| images | latency | wall | requests | waves | memory |\n|--:|--:|--:|--:|--:|--:|");
}

fn row(images: usize, latency: u64, cost: &Cost) {
    let waves = if cost.waves == 0 {
        "–".to_owned()
    } else {
        cost.waves.to_string()
    };
    println!(
        "| {images} | {latency} ms | {:.2} s | {} | {waves} | {:.1} MB |{}",
        cost.wall.as_secs_f64(),
        cost.requests,
        megabytes(cost),
        trouble(cost)
    );
}

/// What went wrong, behind the row, so that nobody takes its numbers for those of a run that worked.
fn trouble(cost: &Cost) -> String {
    if cost.complaint.is_empty() {
        String::new()
    } else {
        format!(" FAILED: {}", cost.complaint)
    }
}

fn rounds(images: usize) -> usize {
    if images < 100 { ROUNDS } else { 1 }
}

/// The cost of the middle one by time.
fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by_key(|cost| cost.wall);
    costs[costs.len() / 2].clone()
}

/// Megabytes of a million bytes.
fn megabytes(cost: &Cost) -> f64 {
    f64::from(u32::try_from(cost.resident_kib).unwrap_or(u32::MAX)) * 1_024.0 / 1_000_000.0
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn as_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
