"""Holds our Statements to the in-toto Attestation Framework's own Python package, which nobody here wrote.

Runs the program named on the command line: its demo, and the demo's image again as jobs of each host have it. Every
Statement that it leaves is read by the package's protocol buffers, which refuse members they do not know, and so is its
predicate as SLSA provenance v1, as a verification summary, or as results of tests; so is every one in the directory
that may be named besides, where the tests put what takes a world around it: what a host vouches for, by a token or by
its record of the build, what was lifted out of an index, and summaries under AWS Signer. Then the build type's own page
counts: which members it has, and no others. Prints one line per Statement and ends with how many held.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import resource_descriptor
from in_toto_attestation.v1 import statement as in_toto
from in_toto_attestation.v1 import statement_pb2

OURS = "https://github.com/countersign/countersign/blob/buildtypes-v1/docs/buildtypes/"
WORKFLOW = "https://actions.github.io/buildtypes/workflow/v1"
# Members of externalParameters and internalParameters: those that a build type always has, and those it may have.
GITHUB_MEMBERS = (
    {"workflow": {"path", "ref", "repository"}},
    {},
    {"github": {"event_name", "repository_id", "repository_owner_id"}},
    {"github": {"runner_environment"}},
)
BUILD_TYPES = {
    WORKFLOW: GITHUB_MEMBERS,
    OURS + "github-event.md": GITHUB_MEMBERS,
    OURS + "gitlab-job.md": (
        {"source": None, "ref": None, "entryPoint": None},
        {"tag": None, "configPath": None, "pipelineSource": None},
        {},
        dict.fromkeys(
            "projectId namespaceId refProtected runnerId runnerEnvironment executorArch jobImage".split()
        ),
    ),
    OURS + "codebuild.md": (
        {"project": None, "source": None, "sourceVersion": None},
        {},
        {},
        dict.fromkeys("initiator batchIdentifier image kmsKey".split()),
    ),
    OURS + "bitbucket-step.md": (
        {"source": None},
        dict.fromkeys("branch tag pullRequest".split()),
        {},
        dict.fromkeys("repository pipelineUuid stepUuid".split()),
    ),
    OURS + "jenkins.md": (
        dict.fromkeys("jenkins job source".split()),
        {"branch": None},
        {},
        {"node": None},
    ),
    OURS + "manual.md": ({"source": None}, {}, {}, {}),
}
# What BuildKit says of its builds, by predicate type: where its build type stands, and where the builder.
BUILDKIT = {
    "https://slsa.dev/provenance/v1": (
        ("buildDefinition", "buildType"),
        "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
        ("runDetails", "builder", "id"),
    ),
    "https://slsa.dev/provenance/v0.2": (
        ("buildType",),
        "https://mobyproject.org/buildkit@v1",
        ("builder", "id"),
    ),
}
VSA = "https://slsa.dev/verification_summary/v1"
# SLSA writes times as YYYY-MM-DDThh:mm:ssZ, though its protocol buffers take more.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "octo-org/web",
    "GITHUB_REPOSITORY_ID": "1",
    "GITHUB_REPOSITORY_OWNER_ID": "2",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_SHA": COMMIT,
    "GITHUB_WORKFLOW_REF": "octo-org/web/.github/workflows/release.yml@refs/heads/main",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
    "INPUT_SIGNER": "local",
    "INPUT_IMAGES": "oci:web:1.0",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": "https://gitlab.com/g/p",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_SHA": COMMIT,
    "CI_JOB_NAME": "sign",
    "CI_JOB_URL": "https://gitlab.com/g/p/-/jobs/7",
}
CODEBUILD = {
    "CODEBUILD_BUILD_ARN": "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f",
    "CODEBUILD_BUILD_SUCCEEDING": "1",
    "CODEBUILD_SOURCE_REPO_URL": "https://github.com/octo-org/web.git",
    "CODEBUILD_RESOLVED_SOURCE_VERSION": COMMIT,
}
BITBUCKET = {
    "BITBUCKET_PIPELINE_UUID": "{1f0c6f3c-0000-4000-8000-000000000001}",
    "BITBUCKET_GIT_HTTP_ORIGIN": "http://bitbucket.org/octo/web",
    "BITBUCKET_COMMIT": COMMIT,
    "BITBUCKET_BUILD_NUMBER": "7",
}
JENKINS = {
    "JENKINS_URL": "https://ci.example/",
    "BUILD_TAG": "jenkins-web-7",
    "JOB_NAME": "team/web",
    "BUILD_URL": "https://ci.example/job/team/job/web/7/",
    "GIT_URL": "git@github.com:octo/web.git",
    "GIT_COMMIT": COMMIT,
}


def github(event, reference="refs/heads/main"):
    workflow = f"octo-org/web/.github/workflows/release.yml@{reference}"
    return {**GITHUB, "GITHUB_EVENT_NAME": event, "GITHUB_REF": reference, "GITHUB_WORKFLOW_REF": workflow}


HOSTS = {
    "manual": ({}, OURS + "manual.md"),
    # The four events that GitHub's page allows, and some that it does not.
    "github create": (github("create", "refs/tags/v1"), WORKFLOW),
    "github push": (github("push"), WORKFLOW),
    "github release": (github("release", "refs/tags/v1@2"), WORKFLOW),
    "github workflow_dispatch": (github("workflow_dispatch"), WORKFLOW),
    "github merge_group": (github("merge_group", "refs/heads/gh-readonly-queue/main/pr-1"), OURS + "github-event.md"),
    "github repository_dispatch": (github("repository_dispatch"), OURS + "github-event.md"),
    "github schedule": (github("schedule"), OURS + "github-event.md"),
    "github workflow_call": (github("workflow_call"), OURS + "github-event.md"),
    "gitlab": (GITLAB, OURS + "gitlab-job.md"),
    "gitlab tag": (
        {
            **GITLAB,
            "CI_COMMIT_REF_NAME": "v1",
            "CI_COMMIT_TAG": "v1",
            "CI_CONFIG_PATH": ".gitlab-ci.yml",
            "CI_PIPELINE_SOURCE": "push",
            "CI_PROJECT_ID": "3",
            "CI_PROJECT_NAMESPACE_ID": "4",
            "CI_COMMIT_REF_PROTECTED": "true",
            "CI_RUNNER_ID": "12",
            "CI_RUNNER_EXECUTABLE_ARCH": "linux/amd64",
            "CI_JOB_IMAGE": "alpine:3",
            "CI_JOB_STARTED_AT": "2026-08-01T10:00:00Z",
        },
        OURS + "gitlab-job.md",
    ),
    "codebuild": (CODEBUILD, OURS + "codebuild.md"),
    "codebuild batch": (
        {
            **CODEBUILD,
            "CODEBUILD_SOURCE_VERSION": "pr/7",
            "CODEBUILD_INITIATOR": "GitHub-Hookshot/1",
            "CODEBUILD_BATCH_BUILD_IDENTIFIER": "linux",
            "CODEBUILD_BUILD_IMAGE": "aws/codebuild/standard:7.0",
            "CODEBUILD_KMS_KEY_ID": "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3",
            "CODEBUILD_START_TIME": "1785578400123",
        },
        OURS + "codebuild.md",
    ),
    "bitbucket": (BITBUCKET, OURS + "bitbucket-step.md"),
    "bitbucket pull request": (
        {
            **BITBUCKET,
            "BITBUCKET_BRANCH": "feature/a",
            "BITBUCKET_TAG": "v1",
            "BITBUCKET_PR_ID": "3",
            "BITBUCKET_REPO_FULL_NAME": "octo/web",
            "BITBUCKET_STEP_UUID": "{1f0c6f3c-0000-4000-8000-000000000002}",
        },
        OURS + "bitbucket-step.md",
    ),
    "jenkins": (JENKINS, OURS + "jenkins.md"),
    "jenkins branch": ({**JENKINS, "GIT_BRANCH": "origin/main", "NODE_NAME": "built-in"}, OURS + "jenkins.md"),
}
# Documents that are given as files, by their TYPE, and the reader of those predicates that the package has one for.
DOCUMENTS = {
    "vex": (
        {
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": "https://example.com/vex/1",
            "author": "a",
            "timestamp": "2026-01-01T00:00:00Z",
            "version": 1,
            "statements": [{"vulnerability": {"name": "CVE-2026-1"}, "status": "fixed"}],
        },
        None,
    ),
    "vuln": (
        {
            "scanner": {"uri": "pkg:github/octo/scan@1.0", "version": "1.0", "result": []},
            "metadata": {"scanStartedOn": "2026-01-01T00:00:00Z", "scanFinishedOn": "2026-01-01T00:01:00Z"},
        },
        None,
    ),
    "test-result": (
        {"result": "PASSED", "configuration": [{"name": "ci.yml", "digest": {"sha256": "0" * 64}}]},
        test_result_pb2.TestResult,
    ),
    "https://example.com/review/v1": ({"by": "somebody"}, None),
}


def call(program, directory, variables, *arguments):
    environment = {"HOME": str(directory), "PATH": os.environ.get("PATH", ""), **variables}
    done = subprocess.run([program, *arguments], cwd=directory, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")


def blob(layout, digest):
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def statements(layout):
    for file in (layout / "blobs" / "sha256").iterdir():
        try:
            manifest = json.loads(file.read_bytes())
        except (ValueError, UnicodeDecodeError):
            continue
        for layer in manifest.get("layers", []) if isinstance(manifest, dict) else []:
            if layer.get("mediaType") == "application/vnd.in-toto+json":
                yield json.loads(blob(layout, layer["digest"]))


def members(name, where, found, needed, allowed):
    for member, below in found.items():
        inner = [side[member] for side in (needed, allowed) if member in side]
        if not inner:
            sys.exit(f"{name}: the build type knows no {where}.{member}")
        if isinstance(below, dict):
            known = set().union(*inner)
            if not set(below) <= known:
                sys.exit(f"{name}: the build type knows no {where}.{member}: {sorted(set(below) - known)}")
    for member, below in needed.items():
        if member not in found or not set(below or ()) <= set(found[member]):
            sys.exit(f"{name}: {where}.{member} is missing, or not whole")


def hold(name, document, build_type=None):
    message = json_format.ParseDict(document, statement_pb2.Statement())
    in_toto.Statement.copy_from_pb(message).validate()
    provenance = json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
    definition, run = provenance.build_definition, provenance.run_details
    for member, value in {
        "buildType": definition.build_type,
        "externalParameters": definition.external_parameters,
        "builder.id": run.builder.id,
        "subject": message.subject,
    }.items():
        if not value:
            sys.exit(f"{name}: {member} is missing")
    if definition.build_type != (build_type or definition.build_type):
        sys.exit(f"{name}: {definition.build_type}, not {build_type}")
    external, more_external, internal, more_internal = BUILD_TYPES[definition.build_type]
    written = document["predicate"]["buildDefinition"]
    members(name, "externalParameters", written["externalParameters"], external, more_external)
    members(name, "internalParameters", written.get("internalParameters", {}), internal, more_internal)
    for one in definition.resolved_dependencies:
        resource_descriptor.ResourceDescriptor.copy_from_pb(one).validate()
    commits = [one.digest["gitCommit"] for one in definition.resolved_dependencies if "gitCommit" in one.digest]
    if any(not re.fullmatch("[0-9a-f]{40}", commit) for commit in commits):
        sys.exit(f"{name}: {commits}")
    for member in ("startedOn", "finishedOn"):
        time = document["predicate"]["runDetails"].get("metadata", {}).get(member)
        if time is not None and not TIME.fullmatch(time):
            sys.exit(f"{name}: {member} is {time}")
    print(f"{name}: {run.builder.id}")


def at(document, path):
    for member in path:
        document = document[member]
    return document


def is_buildkits(document):
    row = BUILDKIT.get(document["predicateType"])
    predicate = document["predicate"]
    return row is not None and (predicate.get("buildDefinition") or predicate).get("buildType") == row[1]


def hold_statement(name, document):
    """The Statement itself, which speaks of digests."""
    message = json_format.ParseDict(document, statement_pb2.Statement())
    in_toto.Statement.copy_from_pb(message).validate()
    if not message.subject or any(not re.fullmatch("[0-9a-f]{64}", one.digest["sha256"]) for one in message.subject):
        sys.exit(f"{name}: {message.subject}")
    return message


def hold_lifted(name, document):
    """BuildKit's own words in a Statement of ours, about the one platform that they are about."""
    message = hold_statement(name, document)
    build_type, expected, builder = BUILDKIT[document["predicateType"]]
    if at(document["predicate"], build_type) != expected or len(message.subject) != 1:
        sys.exit(f"{name}: {message.subject}")
    if document["predicateType"].endswith("/v1"):
        # BuildKit has members of its own beside those of SLSA.
        provenance = provenance_pb2.Provenance()
        json_format.ParseDict(document["predicate"], provenance, ignore_unknown_fields=True)
        if provenance.run_details.builder.id != at(document["predicate"], builder):
            sys.exit(f"{name}: {provenance.run_details.builder}")
    print(f"{name}: {at(document['predicate'], builder)} {document['predicateType']}")


def kept(directory):
    """Statements that tests left behind: by GitHub's token (github.com, ghe.com, a server of one's own), by GitLab's,
    by AWS's record of a build, lifted, and summaries under AWS Signer, or something was not tested."""
    found = [json.loads(file.read_bytes()) for file in sorted(directory.iterdir())]
    lifted = [each for each in found if is_buildkits(each)]
    sums = [each for each in found if each["predicateType"] == VSA]
    built = [each for each in found if each not in lifted and each not in sums]
    vouched = [each["predicate"] for each in built if "#environment" not in json.dumps(each["predicate"])]
    types = {each["buildDefinition"]["buildType"] for each in vouched}
    missing = {WORKFLOW, OURS + "gitlab-job.md", OURS + "codebuild.md"} - types
    missing |= {"lifted " + version for version in set(BUILDKIT) - {each["predicateType"] for each in lifted}}
    missing |= set() if any(":signer:" in each["predicate"]["verifier"]["id"] for each in sums) else {VSA}
    builders = [each["runDetails"]["builder"]["id"] for each in vouched]
    servers = ("https://github.com/", "https://octo.ghe.com/", "https://ghes.example/")
    missing |= {server for server in servers if not any(builder.startswith(server) for builder in builders)}
    if missing:
        sys.exit(f"{directory}: expected Statements that a host vouches for, lifted ones and summaries; none of {sorted(missing)}")
    for document in built:
        hold("of the tests", document)
    for document in lifted:
        hold_lifted("lifted", document)
    for document in sums:
        hold_summary(document)
    return len(found)


def hold_summary(document):
    message = hold_statement("summary", document)
    # The package's protocol buffers are older than SLSA 1.1, and have one text where SLSA has a list of levels.
    predicate = json.loads(json.dumps(document["predicate"]))
    versions, levels = predicate["verifier"].pop("version"), predicate["verifiedLevels"]
    if list(versions) != ["countersign"] or len(levels) != 1:
        sys.exit(f"summary: {versions}, {levels}")
    predicate["verifiedLevels"] = levels[0]
    summary = json_format.ParseDict(predicate, vsa_pb2.VerificationSummary())
    for member, value in {
        "verifier.id": summary.verifier.id,
        "timeVerified": summary.time_verified.seconds,
        "resourceUri": summary.resource_uri,
        "policy.uri": summary.policy.uri,
        "policy.digest": summary.policy.digest["sha256"],
        "inputAttestations": summary.input_attestations,
        "verifiedLevels": summary.verified_levels,
        "slsaVersion": summary.slsa_version,
        "subject": message.subject,
    }.items():
        if not value:
            sys.exit(f"summary: {member} is missing")
    if summary.verification_result != "PASSED":
        sys.exit(f"summary: {summary.verification_result}")
    print(f"summary: {summary.verifier.id}")


def summaries(program):
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        call(program, directory, {}, "demo", "web", "--quiet")
        call(program, directory, {}, "run", "--signer", "local", "--provenance", "off", "--vsa", "oci:web:1.0")
        found = [each for each in statements(directory / "web") if each["predicateType"] == VSA]
        if len(found) != 1:
            sys.exit(f"expected one summary, found {len(found)}")
        hold_summary(found[0])
    return 1


def documents(program):
    """Documents from files, each in a Statement of ours about the image and its platforms."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        call(program, directory, {}, "demo", "web", "--quiet")
        before = list(statements(directory / "web"))
        lines = []
        for number, (what, (document, _)) in enumerate(DOCUMENTS.items()):
            (directory / f"{number}.json").write_text(json.dumps(document))
            lines += ["--attest", f"{what}={number}.json"]
        call(program, directory, {}, "attest", "--signer", "local", *lines, "oci:web:1.0")
        found = [each for each in statements(directory / "web") if each not in before]
        for what, (document, reader) in DOCUMENTS.items():
            one = [each for each in found if each["predicate"] == document]
            if len(one) != 1:
                sys.exit(f"{what}: expected one Statement, found {len(one)}")
            message = hold_statement(what, one[0])
            if reader is not None:
                json_format.ParseDict(one[0]["predicate"], reader())
            print(f"{what}: {message.predicate_type} about {len(message.subject)}")
        return len(found)


def main():
    program, held = str(pathlib.Path(sys.argv[1]).resolve()), 0
    for name, (variables, build_type) in HOSTS.items():
        with tempfile.TemporaryDirectory() as temporary:
            directory = pathlib.Path(temporary)
            call(program, directory, {}, "demo", "web", "--quiet")
            before = list(statements(directory / "web"))
            if variables:
                arguments = ["action"] if "INPUT_IMAGES" in variables else ["run", "--signer", "local", "oci:web:1.0"]
                call(program, directory, variables, *arguments)
            found = [each for each in statements(directory / "web") if not variables or each not in before]
            if len(found) != 1:
                sys.exit(f"{name}: expected one new Statement, found {len(found)}")
            hold(name, found[0], build_type)
            held += 1
    if len(sys.argv) > 2:
        held += kept(pathlib.Path(sys.argv[2]))
    print(f"{held + summaries(program) + documents(program)} Statements held")


main()
