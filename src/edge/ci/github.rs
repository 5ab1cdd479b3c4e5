//! GitHub Actions: may this event sign, what does the host say of the build, and where do results go.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::build::{self, Fact, Said};
use super::{Environment, OutputError, Standing};
use crate::base::foreign::obeyed;
use crate::base::json;
use crate::base::limits::{Bounds, MEBIBYTE};
use crate::base::time::Timestamp;
use crate::base::tree::Document;
use crate::domain::provenance::{
    Account, BuildFacts, Claims, Dependency, Issuer, Parameter, Parameters, Witness,
};
use crate::domain::report::{Level, Location, Output, RunReport};

/// The largest payload of an event (GitHub, "Webhook events and payloads": 25 MB).
const PAYLOAD: Bounds = Bounds {
    bytes: 25 * MEBIBYTE,
    values: 1_000_000,
    ..Bounds::SMALL_DOCUMENT
};

/// Annotations of one level that reach the page of a run (`actions/runner`, `ExecutionContext.cs`,
/// `_maxCountPerIssueType`).
const ANNOTATIONS: usize = 10;

/// Characters of an annotation's message (`ExecutionContext.cs`, `_maxIssueMessageLength`).
const MESSAGE: usize = 4_096;

/// Bytes of one output: a job's outputs may hold 1 MB together, so this much leaves room for the others (ours).
const OUTPUT: usize = 256 * 1_024;

/// GitHub's own build type, for the events that its page allows.
const WORKFLOW_BUILD_TYPE: &str = "https://actions.github.io/buildtypes/workflow/v1";

/// The events of that page (`actions/buildtypes`, `workflow/v1/README.md`).
const WORKFLOW_EVENTS: [&str; 4] = ["create", "push", "release", "workflow_dispatch"];

/// Ours, for every other event.
const EVENT_BUILD_TYPE: &str =
    "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/github-event.md";

/// Who builds, where only the environment says so.
const BUILDER: &str = "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/github-event.md#environment";

/// Whether this event may sign. What comes from a fork never does: `pull_request_target` and `workflow_run` run with
/// the rights of the base repository whoever sent the change; `pull_request` from a fork gets no token.
pub(super) fn standing(environment: &Environment) -> Standing {
    match environment.get("GITHUB_EVENT_NAME").unwrap_or_default() {
        "pull_request_target" => {
            Standing::Untrusted("pull_request_target runs anyone's change with this repository's rights")
        }
        "workflow_run" => match forked(environment, "/workflow_run/head_repository/id", "/repository/id") {
            Some(false) => Standing::Trusted,
            Some(true) => Standing::Untrusted("a run in a fork triggered this workflow_run"),
            None => Standing::refused(
                "could not tell from the event's payload whether a fork triggered this workflow_run",
                "sign in a workflow that a push or a release starts",
            ),
        },
        name if name.starts_with("pull_request") && token_missing(environment) => {
            let (head, base) = ("/pull_request/head/repo/id", "/pull_request/base/repo/id");
            match forked(environment, head, base) {
                Some(true) => {
                    Standing::Untrusted("the pull request comes from a fork, which gets no OIDC token")
                }
                Some(false) | None => Standing::Trusted,
            }
        }
        _ => Standing::Trusted,
    }
}

fn token_missing(environment: &Environment) -> bool {
    environment.get("ACTIONS_ID_TOKEN_REQUEST_URL").is_none()
}

/// Whether two repositories of the payload are not the same; none where that cannot be told.
fn forked(environment: &Environment, head: &str, base: &str) -> Option<bool> {
    let payload = payload(environment)?;
    let id = |pointer| payload.cursor().pointer(pointer)?.unsigned().ok();
    Some(id(head)? != id(base)?)
}

/// The payload of the event; none where it is absent, too large or no JSON.
fn payload(environment: &Environment) -> Option<Document> {
    let path = Path::new(environment.get("GITHUB_EVENT_PATH")?);
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let most = PAYLOAD.bytes as u64 + 1;
    File::open(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    json::read(&bytes, PAYLOAD).ok()
}

/// What a build on GitHub is told by (GitHub, "OIDC reference", "Default environment variables").
pub(super) const FACTS: &[Fact] = &[
    Fact::both(
        "repository",
        "GITHUB_REPOSITORY",
        "`externalParameters.workflow.repository`, `resolvedDependencies[0].uri`, `metadata.invocationId`",
    ),
    Fact::both(
        "ref",
        "GITHUB_REF",
        "`externalParameters.workflow.ref`, `resolvedDependencies[0].uri`",
    ),
    Fact::both(
        "workflow_ref",
        "GITHUB_WORKFLOW_REF",
        "`externalParameters.workflow.path`",
    ),
    Fact::both(
        "event_name",
        "GITHUB_EVENT_NAME",
        "`buildType`, `internalParameters.github.event_name`",
    ),
    Fact::both(
        "repository_id",
        "GITHUB_REPOSITORY_ID",
        "`internalParameters.github.repository_id`",
    ),
    Fact::both(
        "repository_owner_id",
        "GITHUB_REPOSITORY_OWNER_ID",
        "`internalParameters.github.repository_owner_id`",
    ),
    Fact::claimed(
        "runner_environment",
        "`internalParameters.github.runner_environment`",
    ),
    Fact::both("sha", "GITHUB_SHA", "`resolvedDependencies[0].digest.gitCommit`"),
    Fact::claimed("job_workflow_ref", "`builder.id`"),
    Fact::both("run_id", "GITHUB_RUN_ID", "`metadata.invocationId`"),
    Fact::both("run_attempt", "GITHUB_RUN_ATTEMPT", "`metadata.invocationId`"),
];

/// What the claims of the verified token say of the build, or the environment where there are none; none where that is
/// not enough.
///
/// Without claims the workflow that a job really runs (`job_workflow_ref`) and the kind of runner are not known, so
/// neither is said, and the builder is named as one that only the environment speaks for.
pub(super) fn account(environment: &Environment, claims: Option<&Claims>) -> Option<Account> {
    let said = Said {
        facts: FACTS,
        environment,
        witness: claims.map(Witness::Token),
    };
    let server = match claims {
        Some(claims) => claims.issuer().server().to_owned(),
        None => build::url(environment.get("GITHUB_SERVER_URL")?)?,
    };
    let (repository, reference) = (said.text("repository")?, said.text("ref")?);
    let (event, commit) = (said.text("event_name")?, said.text("sha")?);
    let workflow = said.text("workflow_ref")?;
    let path = workflow
        .strip_prefix(&format!("{repository}/"))?
        .strip_suffix(&format!("@{reference}"))?;
    let home = format!("{server}/{repository}");
    let called = said.text("job_workflow_ref");
    let builder = match claims {
        Some(_) => build::uri(&format!("{server}/{}", called.as_deref()?)),
        None => BUILDER.to_owned(),
    };
    let (run, attempt) = (said.text("run_id")?, said.text("run_attempt")?);
    let build_type = if WORKFLOW_EVENTS.contains(&event.as_str()) {
        WORKFLOW_BUILD_TYPE
    } else {
        EVENT_BUILD_TYPE
    };
    let base = BuildFacts::manual(builder.parse().ok()?, format!("{home}@{commit}").parse().ok()?);
    let parameters = build::map([
        ("path", Some(path.into())),
        ("ref", Some(reference.as_str().into())),
        ("repository", Some(home.as_str().into())),
    ]);
    let internal = build::map([
        ("event_name", Some(event.as_str().into())),
        ("repository_id", said.parameter("repository_id")),
        ("repository_owner_id", said.parameter("repository_owner_id")),
        ("runner_environment", said.parameter("runner_environment")),
    ]);
    let facts = BuildFacts {
        build_type: build_type.to_owned(),
        external_parameters: Parameters::from([("workflow".to_owned(), Parameter::Map(parameters))]),
        internal_parameters: Parameters::from([("github".to_owned(), Parameter::Map(internal))]),
        resolved_dependencies: vec![Dependency {
            uri: format!("git+{home}@{reference}"),
            digest: BTreeMap::from([("gitCommit".to_owned(), commit)]),
        }],
        invocation_id: Some(format!("{home}/actions/runs/{run}/attempts/{attempt}")),
        ..base
    };
    Some(Account {
        reusable: called.is_some_and(|called| called != workflow),
        ..said.account(facts, said.other_address("iss", "GITHUB_SERVER_URL", &server))
    })
}

/// The issuer of this GitHub's tokens, where it is known: github.com unless the environment names another GitHub.
pub(super) fn issuer(environment: &Environment) -> Option<Issuer> {
    match environment.get("GITHUB_SERVER_URL") {
        None => Some(Issuer::github()),
        Some(server) => Issuer::of_github(&build::url(server)?),
    }
}

/// When the commit was made, by the event's payload (GitHub, "Webhook events and payloads", `push`).
pub(super) fn commit_time(environment: &Environment) -> Option<Timestamp> {
    let payload = payload(environment)?;
    let commit = payload.cursor().pointer("/head_commit/timestamp")?;
    Some(commit.string().ok()?.parse::<Timestamp>().ok()?.whole())
}

/// Appends the outputs to the step's file, each between delimiters that nobody can guess; says which were too long.
pub(super) fn write_outputs(
    environment: &Environment,
    outputs: &[(Output, String)],
) -> Result<Vec<Output>, OutputError> {
    let (short, long): (Vec<_>, Vec<_>) = outputs.iter().partition(|(_, value)| value.len() <= OUTPUT);
    if let Some(path) = environment.get("GITHUB_OUTPUT") {
        let mut text = String::new();
        for (output, value) in short {
            let entry = delimiter().and_then(|word| entry(output.name(), value, &word));
            text.push_str(&entry.map_err(|error| refused(path, &error))?);
        }
        append(Path::new(path), &text).map_err(|error| refused(path, &error))?;
    }
    Ok(long.into_iter().map(|(output, _)| *output).collect())
}

/// Appends the summary to the step's file.
pub(super) fn write_summary(environment: &Environment, summary: &str) -> Result<(), OutputError> {
    match environment.get("GITHUB_STEP_SUMMARY") {
        Some(path) => append(Path::new(path), summary).map_err(|error| refused(path, &error)),
        None => Ok(()),
    }
}

fn refused(path: &str, error: &io::Error) -> OutputError {
    OutputError {
        path: path.to_owned(),
        problem: error.to_string(),
    }
}

/// A word that no value can hold by chance or intent: 128 bits from the system.
fn delimiter() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("countersign_{:032x}", u128::from_be_bytes(bytes)))
}

/// `NAME<<WORD`, the value, `WORD` (GitHub, "Workflow commands", multiline strings).
fn entry(name: &str, value: &str, word: &str) -> io::Result<String> {
    if value.contains(word) || name.contains(word) {
        return Err(io::Error::other("a value holds its own delimiter"));
    }
    Ok(format!("{name}<<{word}\n{value}\n{word}\n"))
}

/// Appends to a file that the runner made; a link, a device or an absent file is refused.
fn append(path: &Path, text: &str) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("expected a regular file"));
    }
    OpenOptions::new()
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
}

/// The commands that put findings and failures onto the page of the run, gravest first, as many as it shows.
pub(super) fn annotations(report: &RunReport, place: Option<&Location>) -> Vec<String> {
    let mut failures: Vec<_> = report.failures.iter().collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.cause.class));
    let failures = failures.into_iter().map(|failure| {
        let mut message = failure.cause.message.clone();
        if let Some(hint) = &failure.cause.hint {
            message = format!("{message} (hint: {hint})");
        }
        (
            Level::Error,
            format!("countersign: {}", failure.cause.class),
            message,
        )
    });
    let findings = report.gravest_first().into_iter().map(|finding| {
        let platform = finding.platform.as_ref();
        let platform = platform.map_or_else(String::new, |name| format!(" ({})", name.quote()));
        let title = format!("{} {}{platform}", finding.rule.id(), finding.rule.name());
        let fix = finding.fix.as_ref().map(|fix| format!(" (fix: {fix})"));
        (
            finding.level,
            title,
            finding.message.clone() + &fix.unwrap_or_default(),
        )
    });
    let all: Vec<_> = failures.chain(findings).collect();
    let mut commands = Vec::new();
    for level in [Level::Error, Level::Warning, Level::Note] {
        let here: Vec<_> = all.iter().filter(|(found, ..)| *found == level).collect();
        let shown = if here.len() > ANNOTATIONS {
            ANNOTATIONS - 1
        } else {
            here.len()
        };
        let lines = here.iter().take(shown);
        commands.extend(lines.map(|(_, title, message)| annotation(level, title, message, place)));
        if here.len() > shown {
            let more = format!("{} more of this level stand in the report", here.len() - shown);
            commands.push(annotation(level, "countersign", &more, place));
        }
    }
    commands
}

fn annotation(level: Level, title: &str, message: &str, place: Option<&Location>) -> String {
    let name = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let title: String = title.chars().take(200).collect();
    let message: String = message.chars().take(MESSAGE).collect();
    let place = place.map(|place| format!("file={},line={},", escape_property(place.path()), place.line()));
    format!(
        "::{name} {}title={}::{}",
        place.unwrap_or_default(),
        escape_property(&title),
        escape_data(&message)
    )
}

/// Data of a command (`actions/runner`, `ActionCommand.cs`): `%`, CR and LF are escaped; what a terminal obeys, and
/// the beginning of an old command, are taken apart besides.
pub(super) fn escape_data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let visible: String = text.chars().filter(|c| !obeyed(*c)).collect();
    visible.replace("##[", "## [")
}

/// A property of a command: `:` and `,` are escaped too.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event<const N: usize>(payload: &str, variables: [(&str, &str); N]) -> Standing {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("event.json");
        fs::write(&path, payload).unwrap();
        let mut all: Vec<_> = variables.to_vec();
        let path = path.to_str().unwrap();
        all.push(("GITHUB_EVENT_PATH", path));
        all.resize(4, ("HOME", "/h"));
        let all: [(&str, &str); 4] = all.try_into().unwrap();
        standing(&Environment::of(all))
    }

    #[test]
    fn a_fork_never_signs() {
        let untrusted = |standing: &Standing| matches!(standing, Standing::Untrusted(_));
        assert!(untrusted(&event(
            "{}",
            [("GITHUB_EVENT_NAME", "pull_request_target")]
        )));
        let run = |head| {
            format!(r#"{{"repository":{{"id":1}},"workflow_run":{{"head_repository":{{"id":{head}}}}}}}"#)
        };
        let name = ("GITHUB_EVENT_NAME", "workflow_run");
        assert!(untrusted(&event(&run(2), [name])));
        assert_eq!(event(&run(1), [name]), Standing::Trusted);
        for unknown in ["{}", "", r#"{"workflow_run":null,"repository":{"id":1}}"#] {
            assert!(
                matches!(event(unknown, [name]), Standing::Refused(_)),
                "{unknown}"
            );
        }
    }

    #[test]
    fn a_pull_request_of_a_fork_is_told_by_its_payload_and_only_without_a_token() {
        let pull = |head| {
            format!(
                r#"{{"pull_request":{{"head":{{"repo":{{"id":{head}}}}},"base":{{"repo":{{"id":1}}}}}}}}"#
            )
        };
        let name = ("GITHUB_EVENT_NAME", "pull_request");
        assert!(matches!(event(&pull(2), [name]), Standing::Untrusted(_)));
        assert_eq!(event(&pull(1), [name]), Standing::Trusted);
        let token = ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.example/?a=b");
        assert_eq!(event(&pull(2), [name, token]), Standing::Trusted);
        assert_eq!(
            event(&pull(2), [("GITHUB_EVENT_NAME", "push")]),
            Standing::Trusted
        );
    }

    #[test]
    fn the_facts_of_a_push_are_githubs_own_build_type() {
        let at = |event| {
            let environment = Environment::of([
                ("GITHUB_SERVER_URL", "https://github.com"),
                ("GITHUB_REPOSITORY", "octo-org/web"),
                ("GITHUB_REPOSITORY_ID", "1"),
                ("GITHUB_REPOSITORY_OWNER_ID", "2"),
                ("GITHUB_REF", "refs/tags/v1@2"),
                ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
                ("GITHUB_EVENT_NAME", event),
                (
                    "GITHUB_WORKFLOW_REF",
                    "octo-org/web/.github/workflows/a@b.yml@refs/tags/v1@2",
                ),
                ("GITHUB_RUN_ID", "7"),
                ("GITHUB_RUN_ATTEMPT", "1"),
            ]);
            account(&environment, None).unwrap().facts
        };
        let push = at("push");
        assert_eq!(push.build_type, WORKFLOW_BUILD_TYPE);
        let json = serde_json::to_string(&push.external_parameters).unwrap();
        assert_eq!(
            json,
            r#"{"workflow":{"path":".github/workflows/a@b.yml","ref":"refs/tags/v1@2","repository":"https://github.com/octo-org/web"}}"#
        );
        let json = serde_json::to_string(&push.internal_parameters).unwrap();
        assert_eq!(
            json,
            r#"{"github":{"event_name":"push","repository_id":"1","repository_owner_id":"2"}}"#
        );
        assert_eq!(
            push.resolved_dependencies[0].uri,
            "git+https://github.com/octo-org/web@refs/tags/v1@2"
        );
        assert_eq!(
            push.invocation_id.as_deref(),
            Some("https://github.com/octo-org/web/actions/runs/7/attempts/1")
        );
        assert_eq!(push.builder.as_str(), BUILDER);
        assert_eq!(at("schedule").build_type, EVENT_BUILD_TYPE);
    }

    proptest! {
        #[test]
        fn a_value_never_leaves_its_delimiters(value in "(?s).{0,80}") {
            let word = delimiter().unwrap();
            let text = entry("images", &value, &word).unwrap();
            let ends: Vec<_> = text.lines().enumerate().filter(|(_, line)| *line == word).collect();
            prop_assert_eq!(ends.len(), 1);
            prop_assert_eq!(ends[0].0 + 1, text.lines().count());
        }

        #[test]
        fn an_annotation_is_one_command(title in "(?s).{0,60}", message in r"[#\[:%,\n\r\x1b ma-c]{0,60}") {
            let line = annotation(Level::Error, &title, &message, None);
            let controls = ['\n', '\r', '\u{1b}'];
            prop_assert!(!line.contains(controls));
            prop_assert!(!line.contains("##["));
            let properties = line.strip_prefix("::error title=").unwrap().split("::").next().unwrap();
            let separators = [':', ','];
            prop_assert!(!properties.contains(separators));
        }
    }

    #[test]
    fn a_value_with_its_own_delimiter_is_refused() {
        assert!(entry("images", "a\nword\nverdict=passed", "word").is_err());
        assert_ne!(delimiter().unwrap(), delimiter().unwrap());
    }

    #[test]
    fn links_and_absent_files_are_not_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a"), directory.path().join("b"));
        assert!(append(&file, "x").is_err());
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(append(&link, "y").is_err());
        append(&file, "y").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "xy");
    }
}
