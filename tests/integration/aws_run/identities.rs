//! Who signs: credentials that are there already, roles by role, and the tokens of hosts other than GitHub.

use std::sync::Arc;

use serde_json::json;

use super::{Ended, Stage};
use crate::support::aws::sts::Role;
use crate::support::aws::{ACCOUNT, CANARY, REGION, ROLE};
use crate::support::http::{Request, Response, Service};
use crate::support::registry::Quirks;

fn passed(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.everything());
    assert_eq!(ended.report["verdict"], "passed");
}

fn staged() -> (Stage, String) {
    let stage = Stage::new();
    let digest = stage.registry.put_image("web", "1.4", "an image");
    let image = format!("{}/web@{digest}", stage.host);
    (stage, image)
}

/// Runs on a terminal with these variables and without a role.
fn run_with(stage: &Stage, variables: &[(&str, &str)], more: &[&str]) -> Ended {
    stage.finish(&mut stage.elsewhere(&stage.signing(more), variables))
}

#[test]
fn credentials_of_an_earlier_step_serve() {
    let (stage, image) = staged();
    let (key, known) = stage.aws.session("ci");
    let session = known.session.clone().unwrap();
    let variables = [
        ("AWS_ACCESS_KEY_ID", key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &known.secret),
        ("AWS_SESSION_TOKEN", &session),
    ];
    passed(&run_with(&stage, &variables, &["-v", &image]));
    assert_eq!(
        stage.asked("AssumeRoleWithWebIdentity") + stage.asked("AssumeRole"),
        0
    );

    // From them to a role is chaining.
    let role = Role::for_role(&format!("arn:aws:iam::{ACCOUNT}:role/ci"), None);
    stage.aws.cloud().state().roles.insert(ROLE.to_owned(), role);
    passed(&run_with(&stage, &variables, &["--role-arn", ROLE, &image]));
    assert_eq!(stage.asked("AssumeRole"), 1);
    let elsewhere = ["--allowed-account-ids", "999900009999", image.as_str()];
    let ended = run_with(&stage, &variables, &elsewhere);
    assert_eq!(ended.code, 4, "{}", ended.everything());
    assert!(ended.everything().contains(ACCOUNT), "{}", ended.everything());
}

#[test]
fn profile_files_serve_and_are_named() {
    let (stage, image) = staged();
    let (key, known) = stage.aws.session("ci");
    std::fs::create_dir(stage.path(".aws")).unwrap();
    let session = known.session.clone().unwrap();
    let secret = format!(
        "aws_access_key_id = {key}\naws_secret_access_key = {}\naws_session_token = {session}\n",
        known.secret
    );
    std::fs::write(stage.path(".aws/config"), format!("[profile release]\n{secret}")).unwrap();
    let run = |more: &[&str]| {
        let command = stage.signing(more);
        // The file itself holds what must be seen nowhere else.
        let mut command = stage.elsewhere(
            &command,
            &[("AWS_PROFILE", "release"), ("NO_PROXY", "registry.example")],
        );
        let output = command.output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        let report = std::fs::read(stage.path("countersign-report/report.json")).unwrap_or_default();
        let report = String::from_utf8(report).unwrap();
        assert!(
            !words.contains(CANARY) && !report.contains(CANARY),
            "{words}{report}"
        );
        (output.status.code().unwrap(), words, report)
    };
    let (code, words, report) = run(&["-v", &image]);
    assert_eq!(code, 0, "{words}");
    for named in ["AWS_PROFILE", "~/.aws/config", "NO_PROXY", "HTTPS_PROXY"] {
        assert!(
            report.contains(&format!("the environment sets {named}")),
            "{named}: {report}"
        );
    }
    let (code, _, report) = run(&["--overrides", "refuse", &image]);
    assert_eq!(code, 2, "{report}");
    assert!(report.contains("~/.aws/config"), "{report}");
    // With a token of the job nobody looks into profiles.
    let mut args = stage.signing(&["--role-arn", ROLE]);
    args.push(&image);
    let output = stage
        .command(&args)
        .env("AWS_PROFILE", "release")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let words = std::fs::read_to_string(stage.path("countersign-report/report.json")).unwrap();
    assert!(
        words.contains("HTTPS_PROXY") && !words.contains("AWS_PROFILE"),
        "{words}"
    );
}

#[test]
fn a_step_on_bitbucket_takes_its_role_by_its_own_token() {
    let (stage, image) = staged();
    let cloud = stage.aws.cloud();
    cloud.issuer.set_claim("sub", json!("{437d}:{8d1f}"));
    let role = Role::for_subjects(&["{437d}:*"]);
    cloud.state().roles.insert(ROLE.to_owned(), role);
    let token = stage.aws.id_token("sts.amazonaws.com");
    let step = ("BITBUCKET_PIPELINE_UUID", "{1f0c}");
    let run = |variables: &[(&str, &str)]| run_with(&stage, variables, &["-v", "--role-arn", ROLE, &image]);
    let ended = run(&[step, ("BITBUCKET_STEP_OIDC_TOKEN", &token)]);
    passed(&ended);
    assert_eq!(stage.asked("AssumeRoleWithWebIdentity"), 1);
    assert!(!ended.everything().contains(token.rsplit('.').next().unwrap()));
    stage.world.ledger().clear();
    let none = run(&[step]);
    assert_eq!(none.code, 4, "{}", none.everything());
    assert!(
        none.everything().contains("add to the step: oidc: true"),
        "{}",
        none.everything()
    );
    assert!(stage.world.ledger().is_empty());
}

/// What gives a container its credentials (CodeBuild, ECS, EKS).
struct Container {
    answer: serde_json::Value,
}

impl Service for Container {
    fn name(&self) -> &'static str {
        "container"
    }

    fn operation(&self, _: &Request) -> &'static str {
        "GET credentials"
    }

    fn answer(&self, request: &Request) -> Response {
        if request.header("authorization") != CANARY {
            return Response::new(401);
        }
        Response::json(200, &self.answer)
    }
}

#[test]
fn a_build_container_has_credentials_of_its_own() {
    let (stage, image) = staged();
    let (key, known) = stage.aws.session("codebuild");
    let answer = json!({"AccessKeyId": key, "SecretAccessKey": known.secret, "Token": known.session,
        "Expiration": "2099-01-01T00:00:00Z"});
    let address = stage.world.serve(Arc::new(Container { answer }));
    let uri = format!("http://{address}/credentials");
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", CANARY),
        (
            "CODEBUILD_BUILD_ARN",
            "arn:aws:codebuild:eu-west-1:111122223333:build/app:1",
        ),
        ("CODEBUILD_BUILD_ID", "app:1"),
        ("CODEBUILD_BUILD_SUCCEEDING", "1"),
    ];
    passed(&run_with(&stage, &variables, &["-v", &image]));
    assert_eq!(stage.world.ledger().count("container", "GET credentials"), 1);
    // What has failed is not signed, whatever credentials there are.
    stage.world.ledger().clear();
    let mut failed = variables;
    failed[4].1 = "0";
    let ended = run_with(&stage, &failed, &[&image]);
    assert_eq!(ended.code, 4, "{}", ended.everything());
    assert!(stage.world.ledger().is_empty());
}

#[test]
fn where_there_are_no_credentials_nobody_waits_for_a_metadata_service() {
    let vendor = std::fs::read_to_string("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let (stage, image) = staged();
    let mut command = stage.elsewhere(&stage.signing(&[&image]), &[("AWS_REGION", REGION)]);
    if vendor.trim() != "Amazon EC2" {
        command.env_remove("AWS_EC2_METADATA_DISABLED");
    }
    // A request without TLS would pass here, too.
    command.env("HTTP_PROXY", stage.aws.proxy().unwrap().url());
    let ended = stage.finish(&mut command);
    assert_eq!(ended.code, 4, "{}", ended.everything());
    let told = "asked: environment, profile files, web identity token file, container";
    assert!(ended.everything().contains(told), "{}", ended.everything());
    let dialled = stage.aws.proxy().unwrap().dialled();
    assert!(
        !dialled.iter().any(|name| name.contains("CONNECT")),
        "{dialled:?}"
    );
}

#[test]
fn roles_are_assumed_one_after_another() {
    let (stage, image) = staged();
    let second = "arn:aws:iam::111122223333:role/signer";
    let role = Role::for_role(ROLE, Some("the-word"));
    stage.aws.cloud().state().roles.insert(second.to_owned(), role);
    let chain = ["--role-chain", second, "--external-id"];
    let run = |word: &str| {
        let mut more = chain.to_vec();
        more.push(word);
        stage.run_with(&[&image], &more)
    };
    let ended = run("another-word");
    assert_eq!(ended.code, 4, "{}", ended.everything());
    assert!(ended.everything().contains(second), "{}", ended.everything());
    assert_eq!(stage.signed_and_written(), (0, 0));
    passed(&run("the-word"));
    assert_eq!(
        (
            stage.asked("AssumeRoleWithWebIdentity"),
            stage.asked("AssumeRole")
        ),
        (2, 2)
    );
}

const GITLAB: [(&str, &str); 3] = [
    ("GITLAB_CI", "true"),
    ("CI_JOB_ID", "7"),
    ("CI_PROJECT_URL", "https://gitlab.com/group/project"),
];

const SUBJECT: &str = "project_path:group/project:ref_type:branch:ref:main";

/// Runs in a job on GitLab; the token is seen nowhere.
fn on_gitlab(stage: &Stage, image: &str, token: Option<&str>) -> Ended {
    let mut variables = GITLAB.to_vec();
    variables.extend(token.map(|token| ("AWS_ID_TOKEN", token)));
    let ended = run_with(stage, &variables, &["-v", "--role-arn", ROLE, image]);
    for part in token
        .iter()
        .flat_map(|token| token.split('.'))
        .filter(|part| part.len() > 8)
    {
        assert!(!ended.everything().contains(part), "{}", ended.everything());
    }
    ended
}

#[test]
fn a_job_on_gitlab_brings_its_token() {
    let (stage, image) = staged();
    let cloud = stage.aws.cloud();
    cloud.issuer.set_claim("sub", json!(SUBJECT));
    let role = Role::for_subjects(&["project_path:group/project:*"]);
    cloud.state().roles.insert(ROLE.to_owned(), role);
    let good = stage.aws.id_token("sts.amazonaws.com");
    passed(&on_gitlab(&stage, &image, Some(&good)));
    assert_eq!(stage.asked("AssumeRoleWithWebIdentity"), 1);
    stage.world.ledger().clear();

    let none = on_gitlab(&stage, &image, None);
    assert_eq!(none.code, 4, "{}", none.everything());
    assert!(
        none.everything().contains("id_tokens: { AWS_ID_TOKEN"),
        "{}",
        none.everything()
    );
    assert!(stage.world.ledger().is_empty());

    let other = stage.aws.id_token("https://gitlab.com");
    cloud.issuer.set_lifetime(-600);
    let old = stage.aws.id_token("sts.amazonaws.com");
    cloud.issuer.set_lifetime(300);
    cloud.issuer.set_claim(
        "sub",
        json!("project_path:other/project:ref_type:branch:ref:main"),
    );
    let strange = stage.aws.id_token("sts.amazonaws.com");
    for (token, words) in [
        (other, [SUBJECT, "https://gitlab.com"]),
        (old, ["expired", SUBJECT]),
        (
            strange,
            [
                "project_path:other/project:ref_type:branch:ref:main",
                "sts.amazonaws.com",
            ],
        ),
    ] {
        let ended = on_gitlab(&stage, &image, Some(&token));
        assert_eq!(ended.code, 4, "{}", ended.everything());
        for word in words {
            assert!(
                ended.everything().contains(word),
                "{word}: {}",
                ended.everything()
            );
        }
    }
    let noise = on_gitlab(&stage, &image, Some("not-a-token-at-all"));
    assert_eq!(noise.code, 4, "{}", noise.everything());
    assert_eq!(stage.signed_and_written(), (0, 0));
}

#[test]
fn fips_and_dual_stack_addresses_are_the_only_ones_dialled() {
    for (variable, host, name) in [
        (
            "AWS_USE_FIPS_ENDPOINT",
            format!("{ACCOUNT}.dkr.ecr-fips.{REGION}.amazonaws.com"),
            (|called: &str| format!("{called}-fips.{REGION}.amazonaws.com")) as fn(&str) -> String,
        ),
        (
            "AWS_USE_DUALSTACK_ENDPOINT",
            format!("{ACCOUNT}.dkr-ecr.{REGION}.on.aws"),
            |called| format!("{}.{REGION}.api.aws", called.trim_start_matches("api.")),
        ),
    ] {
        let stage = Stage::new();
        stage.aws.also_as(&stage.world, name);
        let registry = stage.aws.ecr(&stage.world, &host, Quirks::ecr());
        let digest = registry.put_image("web", "1.4", "an image");
        let image = format!("{host}/web@{digest}");
        let args = stage.signing(&["--role-arn", ROLE, &image]);
        let ended = stage.finish(stage.command(&args).env(variable, "true"));
        passed(&ended);
        let dialled = stage.aws.proxy().unwrap().dialled();
        for called in ["sts", "api.ecr", "signer", "data-signer"] {
            let name = format!("{}:443", name(called));
            assert!(dialled.contains(&name), "{name}: {dialled:?}");
            let plain = format!("{called}.{REGION}.amazonaws.com:443");
            assert!(!dialled.contains(&plain), "{plain}");
        }
    }
}

#[test]
fn partitions_without_a_root_need_a_trust_store() {
    for (partition, region, suffix) in [
        ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
        ("aws-eusc", "eusc-de-east-1", "amazonaws.eu"),
    ] {
        let stage = Stage::new();
        let profile = format!("arn:{partition}:signer:{region}:{ACCOUNT}:/signing-profiles/release");
        let image = format!("{ACCOUNT}.dkr.ecr.{region}.{suffix}/web:1");
        let ended = stage.call(&[
            "run",
            "--provenance",
            "off",
            "--signing-profile",
            &profile,
            &image,
        ]);
        assert_eq!(ended.code, 2, "{}", ended.everything());
        for word in ["trust-store", partition] {
            assert!(ended.everything().contains(word), "{}", ended.everything());
        }
        let role = format!("arn:{partition}:iam::{ACCOUNT}:role/countersign");
        let root = stage.root.path().to_str().unwrap();
        let args = [
            "run",
            "--role-arn",
            &role,
            "--signing-profile",
            &profile,
            "--trust-store",
            root,
            "--provenance",
            "off",
            &image,
        ];
        // With one it goes on to that partition's own addresses.
        let output = stage.command(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let dialled = stage.aws.proxy().unwrap().dialled();
        assert!(
            dialled
                .iter()
                .any(|name| *name == format!("sts.{region}.{suffix}:443")),
            "{dialled:?}"
        );
        assert!(!dialled.iter().any(|name| name.contains(REGION)), "{dialled:?}");
    }
}

#[test]
fn a_token_in_a_file_is_found_under_each_of_its_names() {
    let (stage, image) = staged();
    let workspace = tempfile::tempdir().unwrap();
    let file = workspace.path().join("token");
    std::fs::write(&file, stage.aws.id_token("sts.amazonaws.com")).unwrap();
    let store = stage.root.path().to_str().unwrap();
    for name in [
        "token",
        file.to_str().unwrap(),
        "/home/runner/work/app/app/token",
        "/__w/app/app/token",
        "/runner/_work/app/app/token",
        "/mnt/disk/app/app/token",
    ] {
        let mut command = stage.command(&["action"]);
        command
            .env_remove("ACTIONS_ID_TOKEN_REQUEST_URL")
            .env("GITHUB_WORKSPACE", workspace.path())
            .env("RUNNER_WORKSPACE", "/mnt/disk/app")
            .env("GITHUB_EVENT_NAME", "push")
            .env("INPUT_IMAGES", &image)
            .env("INPUT_ROLE-ARN", ROLE)
            .env("INPUT_SIGNING-PROFILE", crate::support::aws::PROFILE)
            .env("INPUT_TRUST-STORE", store)
            .env("INPUT_PROVENANCE", "off")
            .env("INPUT_ID-TOKEN", name)
            .current_dir(workspace.path());
        let ended = stage.finish(&mut command);
        assert_eq!(ended.code, 0, "{name}: {}", ended.everything());
    }
    assert_eq!(stage.asked("AssumeRoleWithWebIdentity"), 6);
}
