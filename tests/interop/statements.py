"""Holds our Statements to the in-toto Attestation Framework's own Python package, which nobody here wrote.

Runs the program named on the command line: its demo, and the demo's image again as jobs of each host have it. Every
Statement that it leaves is read by the package's protocol buffers, which refuse members they do not know, and so is
its predicate as SLSA provenance v1. Prints one line per Statement and ends with how many held.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement as in_toto
from in_toto_attestation.v1 import statement_pb2

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
HOSTS = {
    "manual": {},
    "github push": {**GITHUB, "GITHUB_EVENT_NAME": "push"},
    "github schedule": {**GITHUB, "GITHUB_EVENT_NAME": "schedule"},
    "gitlab": {
        "GITLAB_CI": "true",
        "CI_PROJECT_URL": "https://gitlab.com/g/p",
        "CI_COMMIT_REF_NAME": "main",
        "CI_COMMIT_SHA": COMMIT,
        "CI_JOB_NAME": "sign",
        "CI_JOB_URL": "https://gitlab.com/g/p/-/jobs/7",
        "CI_JOB_STARTED_AT": "2026-08-01T10:00:00Z",
    },
    "codebuild": {
        "CODEBUILD_BUILD_ARN": "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f",
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_SOURCE_REPO_URL": "https://github.com/octo-org/web.git",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": COMMIT,
        "CODEBUILD_START_TIME": "1785578400123",
    },
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


def hold(name, document):
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
    print(f"{name}: {run.builder.id}")


def main():
    program, held = str(pathlib.Path(sys.argv[1]).resolve()), 0
    for name, variables in HOSTS.items():
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
            hold(name, found[0])
            held += 1
    print(f"{held} Statements held")


main()
