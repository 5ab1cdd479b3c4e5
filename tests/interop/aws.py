"""Holds the AWS of the small world to botocore, which nobody here wrote.

botocore signs every request, parses every answer, and its service models say which members an answer may have and of
what kind they are. The endpoints come from the environment, as botocore itself reads them; `ISSUER` is the address
that gives identity tokens. Prints one line per operation and ends with the number of operations held.
"""

import base64
import datetime
import json
import os
import sys
import urllib.request
import xml.etree.ElementTree as ElementTree

import boto3
import botocore.config
import botocore.exceptions

PROFILE = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release"
CONFIG = botocore.config.Config(region_name="eu-west-1", retries={"total_max_attempts": 1})
held = []


def fail(operation, where, what):
    sys.exit(f"{operation}: {where}: {what}")


def local(tag):
    return tag.split("}")[-1]


def check_json(operation, shape, value, where):
    kinds = {
        "structure": dict, "map": dict, "list": list, "string": str, "blob": str, "boolean": bool,
        "integer": int, "long": int, "float": (int, float), "timestamp": (int, float), "double": (int, float),
    }
    if not isinstance(value, kinds[shape.type_name]):
        fail(operation, where, f"expected {shape.type_name}, found {value!r}")
    if shape.type_name == "structure":
        names = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, member in value.items():
            if name not in names:
                fail(operation, where, f"the model has no member {name}")
            check_json(operation, names[name], member, f"{where}/{name}")
        for name in shape.required_members:
            if name not in value:
                fail(operation, where, f"the required member {name} is absent")
    elif shape.type_name == "list":
        for at, member in enumerate(value):
            check_json(operation, shape.member, member, f"{where}/{at}")
    elif shape.type_name == "map":
        for name, member in value.items():
            check_json(operation, shape.value, member, f"{where}/{name}")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        fail(operation, where, f"expected one of {shape.enum}, found {value!r}")
    elif shape.type_name == "string":
        check_length(operation, shape, value, where)


def check_length(operation, shape, value, where):
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", len(value))
    if not low <= len(value) <= high:
        fail(operation, where, f"expected {low} to {high} characters, found {len(value)}")


def check_xml(operation, shape, element, where):
    if shape.type_name != "structure":
        if len(element):
            fail(operation, where, "expected text")
        return
    for child in element:
        name = local(child.tag)
        if name not in shape.members:
            fail(operation, where, f"the model has no member {name}")
        check_xml(operation, shape.members[name], child, f"{where}/{name}")
    for name in shape.required_members:
        if name not in [local(child.tag) for child in element]:
            fail(operation, where, f"the required member {name} is absent")


def watch(client):
    """Compares the raw answer with the model before botocore parses it."""

    def before_parse(operation_model, response_dict, **_):
        operation, body = operation_model.name, response_dict["body"]
        if response_dict["status_code"] >= 300:
            return
        if "x-amzn-requestid" not in {name.lower() for name in response_dict["headers"]}:
            fail(operation, "headers", "no x-amzn-RequestId")
        shape = operation_model.output_shape
        if operation_model.metadata["protocol"] == "query":
            root = ElementTree.fromstring(body)
            if local(root.tag) != f"{operation}Response":
                fail(operation, "root", root.tag)
            result = [child for child in root if local(child.tag) == f"{operation}Result"]
            if len(result) != 1:
                fail(operation, "root", "no result")
            check_xml(operation, shape, result[0], operation)
        elif shape is not None and body:
            check_json(operation, shape, json.loads(body), operation)
        held.append(operation)
        print(f"{client.meta.service_model.service_name} {operation}: held")

    client.meta.events.register("before-parse", before_parse)
    return client


def make(service, credentials=None):
    options = {"config": CONFIG}
    if credentials:
        options.update(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
    return watch(boto3.client(service, **options))


def refused(code, status, call, **arguments):
    """The error must arrive as botocore's own kind, by name and status."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        found = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        if found != (code, status):
            fail(code, "error", found)
        if not error.response["Error"].get("Message"):
            fail(code, "error", "no message")
        print(f"{code}: held")
        held.append(code)
        return
    fail(code, "error", "the call succeeded")


def token(audience="sts.amazonaws.com"):
    url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=" + audience
    bearer = "Bearer " + os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": bearer})) as answer:
        return json.load(answer)["value"]


def main():
    sts = make("sts")
    role = {"RoleArn": "arn:aws:iam::111122223333:role/countersign", "RoleSessionName": "judge", "DurationSeconds": 900}
    assumed = sts.assume_role_with_web_identity(WebIdentityToken=token(), **role)
    credentials = assumed["Credentials"]
    assert assumed["Audience"] == "sts.amazonaws.com", assumed
    left = credentials["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 880 <= left.total_seconds() <= 900, left
    refused("InvalidIdentityToken", 400, sts.assume_role_with_web_identity, WebIdentityToken=token("other"), **role)
    nobody = dict(role, RoleArn="arn:aws:iam::111122223333:role/nobody")
    refused("AccessDenied", 403, sts.assume_role_with_web_identity, WebIdentityToken=token(), **nobody)
    long = dict(role, DurationSeconds=43_000)
    refused("ValidationError", 400, sts.assume_role_with_web_identity, WebIdentityToken=token(), **long)
    caller = make("sts", credentials).get_caller_identity()
    assert caller["Arn"] == "arn:aws:sts::111122223333:assumed-role/countersign/judge", caller
    refused("AccessDenied", 403, make("sts", credentials).assume_role, **role)

    ecr = make("ecr", credentials)
    data = ecr.get_authorization_token()["authorizationData"][0]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:"), data
    assert data["proxyEndpoint"] == "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com", data

    missing = {"repositoryName": "nothing", "imageIds": [{"imageDigest": "sha256:" + "a" * 64}]}
    refused("RepositoryNotFoundException", 400, ecr.describe_images, **missing)

    codebuild = make("codebuild", credentials)
    build = "web:8d1fae44-0a5c-4b4e-9c1e-0123456789ab"
    found = codebuild.batch_get_builds(ids=[build, "web:other"])
    assert found["builds"][0]["arn"].endswith(":build/" + build), found
    assert found["builds"][0]["startTime"].year == 2026, found
    assert found["buildsNotFound"] == ["web:other"], found

    signer = make("signer", credentials)
    profile = signer.get_signing_profile(profileName="release")
    assert profile["arn"] == PROFILE and profile["status"] == "Active", profile
    payload = b'{"targetArtifact":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:' + b"a" * 64 + b'","size":2}}'
    request = {
        "profileName": "release",
        "profileOwner": "111122223333",
        "payload": payload,
        "payloadFormat": "application/vnd.cncf.notary.payload.v1+json",
    }
    signed = signer.sign_payload(**request)
    envelope = json.loads(signed["signature"])
    assert base64.urlsafe_b64decode(envelope["payload"] + "==") == payload, envelope
    protected = json.loads(base64.urlsafe_b64decode(envelope["protected"] + "=="))
    assert protected["com.amazonaws.signer.signingProfileVersion"] == profile["profileVersionArn"], protected
    refused("ValidationException", 400, signer.sign_payload, **dict(request, payloadFormat="text/plain"))
    refused("ResourceNotFoundException", 404, signer.sign_payload, **dict(request, profileName="nothing"))
    refused("ResourceNotFoundException", 404, signer.get_signing_profile, profileName="nothing")

    data = make("signer-data", credentials)
    question = {
        "signatureTimestamp": datetime.datetime.now(datetime.timezone.utc),
        "platformId": "Notation-OCI-SHA384-ECDSA",
        "profileVersionArn": profile["profileVersionArn"],
        "jobArn": protected["com.amazonaws.signer.signingJob"],
        "certificateHashes": ["0" * 192] * 4,
    }
    assert data.get_revocation_status(**question)["revokedEntities"] == []
    elsewhere = "arn:aws-cn:signer:cn-north-1:111122223333:/signing-profiles/release/OF8IVUsPJq"
    refused("ValidationException", 400, data.get_revocation_status, **dict(question, profileVersionArn=elsewhere))
    refused("ValidationException", 400, data.get_revocation_status, **dict(question, certificateHashes=["zz"]))
    signer.revoke_signature(jobId=signed["jobId"], reason="drill")
    assert data.get_revocation_status(**question)["revokedEntities"] == [question["jobArn"]]

    signer.put_signing_profile(profileName="judged", platformId="Notation-OCI-SHA384-ECDSA")
    signer.cancel_signing_profile(profileName="judged")
    assert signer.get_signing_profile(profileName="judged")["status"] == "Canceled"
    refused("ValidationException", 400, signer.sign_payload, **dict(request, profileName="judged"))

    version = signer.put_signing_profile(profileName="withdrawn", platformId="Notation-OCI-SHA384-ECDSA")
    signer.revoke_signing_profile(
        profileName="withdrawn",
        profileVersion=version["profileVersion"],
        reason="drill",
        effectiveTime=datetime.datetime.now(datetime.timezone.utc),
    )
    assert signer.get_signing_profile(profileName="withdrawn")["status"] == "Revoked"
    refused("ResourceNotFoundException", 404, signer.revoke_signature, jobId="5808635f-nothing", reason="drill")

    second = dict(role, RoleArn="arn:aws:iam::111122223333:role/second", ExternalId="the-word")
    chained = make("sts", credentials).assume_role(**second)
    assert chained["AssumedRoleUser"]["Arn"] == "arn:aws:sts::111122223333:assumed-role/second/judge", chained
    refused("AccessDenied", 403, make("sts", credentials).assume_role, **dict(second, ExternalId="another"))
    beyond = dict(second, DurationSeconds=7_200)
    refused("ValidationError", 400, make("sts", credentials).assume_role, **beyond)

    # From here on the world refuses: whoever starts this script lets the fifth token be an old one, takes permissions
    # away at the fifth call of an operation (the second of ECR's and CodeBuild's) and sets its quota to nothing at the next.
    refused("ExpiredTokenException", 400, sts.assume_role_with_web_identity, WebIdentityToken=token(), **role)
    refused("InvalidIdentityToken", 400, sts.assume_role_with_web_identity, WebIdentityToken="not-a-token", **role)
    refused("AccessDeniedException", 403, signer.sign_payload, **request)
    refused("TooManyRequestsException", 429, signer.sign_payload, **request)
    refused("AccessDeniedException", 403, data.get_revocation_status, **question)
    refused("TooManyRequestsException", 429, data.get_revocation_status, **question)
    refused("AccessDeniedException", 400, ecr.get_authorization_token)
    refused("AccessDeniedException", 400, codebuild.batch_get_builds, ids=[build])
    refused("ThrottlingException", 400, codebuild.batch_get_builds, ids=[build])

    wrong = dict(credentials, SecretAccessKey="x" * 40)
    refused("InvalidSignatureException", 403, make("signer", wrong).get_signing_profile, profileName="release")
    unknown = dict(credentials, AccessKeyId="ASIANOBODY")
    refused("UnrecognizedClientException", 403, make("ecr", unknown).get_authorization_token)
    print(f"{len(held)} answers held")


main()
