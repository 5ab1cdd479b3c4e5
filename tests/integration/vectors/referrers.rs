//! The referrers API: canned answers of a registry, through the registry room as the job uses it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use countersign::base::failure::Cause;
use countersign::domain::notary::signature_manifest;
use countersign::domain::oci::{Digest, ImageRef};
use countersign::domain::report::Event;
use countersign::edge::net::{Addresses, Network, client};
use countersign::edge::pace::Retry;
use countersign::edge::registry::{Anonymous, Options, Registry};
use countersign::seams::{Observer, ReadStore as _};

use super::{Case, Judged};

/// Judges the kind of this module.
pub(super) fn judge(case: &Case) -> Option<Judged> {
    (case.kind == "referrers-api").then(|| list(case))
}

/// Nobody looks.
struct Blind;

impl Observer for Blind {
    fn on(&self, _: &Event) {}
}

/// What the registry of the case answers.
struct Answers {
    referrers: String,
    tag: Option<String>,
}

fn answer(status: u64, headers: &[(String, String)], body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status} Canned\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").expect("a text takes text");
    }
    let length = body.len();
    write!(
        text,
        "Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .expect("a text takes text");
    text
}

fn answers(case: &Case) -> Answers {
    let body = |role| String::from_utf8(case.bytes(role)).expect("JSON");
    let headers = case.input("headers").as_object().into_iter().flatten();
    let headers: Vec<(String, String)> = headers
        .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
        .collect();
    let index = [(
        "Content-Type".to_owned(),
        "application/vnd.oci.image.index.v1+json".to_owned(),
    )];
    Answers {
        referrers: answer(
            case.input("status").as_u64().expect("a status"),
            &headers,
            &body("body"),
        ),
        tag: case
            .has_file("tag_index")
            .then(|| answer(200, &index, &body("tag_index"))),
    }
}

/// Answers one request: the referrers API with what is canned, the fallback tag with its index, all else with 404.
fn serve(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let absent = || answer(404, &[], r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#);
    let text = if request.contains("/referrers/") {
        answers.referrers.clone()
    } else if request.contains("/manifests/sha256-") {
        answers.tag.clone().unwrap_or_else(absent)
    } else {
        absent()
    };
    stream.write_all(text.as_bytes())
}

fn list(case: &Case) -> Judged {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address");
    let answers = Arc::new(answers(case));
    // Ends with the process; each case has a port of its own.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve(stream, &answers);
        }
    });
    let subject: Digest = case.text("subject_digest").parse().expect("a digest");
    let image: ImageRef = format!("{host}/team/web@{subject}").parse().expect("a reference");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let listed = runtime.block_on(async {
        let addresses = Addresses::default();
        let client = client(&Network::default(), &addresses).expect("a client");
        let options = Options {
            retry: Retry {
                attempts: 2,
                base: Duration::from_millis(1),
                cap: Duration::from_millis(2),
                patience: Duration::from_secs(2),
            },
            ..Options::default()
        };
        let registry = Registry::new(client, addresses, options, Anonymous, Rc::new(Blind));
        registry.referrers(image.place(), &subject).await
    });
    match listed {
        Err(error) => Judged::reject(Cause::of(&error).message),
        Ok(listed) => {
            let signatures = listed
                .iter()
                .filter(|entry| signature_manifest::may_be_signature(entry));
            let digests: Vec<String> = signatures.map(|entry| entry.digest.to_string()).collect();
            Judged::accept().with("signatures", digests)
        }
    }
}
