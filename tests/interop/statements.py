"""Holds our Statements to the in-toto Attestation Framework's own Python package, which nobody here wrote.

Runs the program named on the command line: its demo, and the demo's image again as jobs of each host have it. Every
Statement that it leaves is read by the package's protocol buffers, which refuse members they do not know, and so is its
predicate as SLSA provenance v1, or as a verification summary; so is every one in the directory that may be named
besides, where the tests put those that the host vouches for, by a token or by its record of the build. Then the build
type's own page counts: which members it has, and no others. Prints one line per Statement and ends with how many held.
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
    OURS + "manual.md": ({"source": None}, {}, {}, {}),
}
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


def kept(directory):
    """Statements that tests left behind: by GitHub's token, by GitLab's, and by AWS's record of a build, or something
    was not tested."""
    found = [json.loads(file.read_bytes()) for file in sorted(directory.iterdir())]
    vouched = [each["predicate"] for each in found if "#environment" not in json.dumps(each["predicate"])]
    types = {each["buildDefinition"]["buildType"] for each in vouched}
    missing = {WORKFLOW, OURS + "gitlab-job.md", OURS + "codebuild.md"} - types
    if missing:
        sys.exit(f"{directory}: expected Statements that a host vouches for, found none of {sorted(missing)}")
    return found


def hold_summary(document):
    message = json_format.ParseDict(document, statement_pb2.Statement())
    in_toto.Statement.copy_from_pb(message).validate()
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
        is_summary = lambda each: each["predicateType"] == "https://slsa.dev/verification_summary/v1"
        found = [each for each in statements(directory / "web") if is_summary(each)]
        if len(found) != 1:
            sys.exit(f"expected one summary, found {len(found)}")
        hold_summary(found[0])


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
    for document in kept(pathlib.Path(sys.argv[2])) if len(sys.argv) > 2 else []:
        hold("of the tests", document)
        held += 1
    summaries(program)
    print(f"{held + 1} Statements held")


main()
