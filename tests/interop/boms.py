"""Holds bills of materials that went through us to the libraries of those who define them.

Runs the program named on the command line. The libraries write bills of materials, in every version of SPDX and
CycloneDX that they know as JSON; each is attached to the demo's image, signed, and downloaded again. What comes back
has to be what went in, to the byte, and to validate: SPDX by spdx-tools, CycloneDX by the schemas that
cyclonedx-python-lib brings. Prints one line per document and ends with how many held.
"""

import io
import os
import pathlib
import subprocess
import sys
import tempfile
from datetime import datetime, timezone

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.model import Actor, ActorType, CreationInfo, Document, Package, Relationship
from spdx_tools.spdx.model import RelationshipType, SpdxNoAssertion
from spdx_tools.spdx.parser.json.json_parser import parse_from_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from spdx_tools.spdx.writer.json.json_writer import write_document_to_stream

SPDX = ("SPDX-2.2", "SPDX-2.3")
# CycloneDX has JSON since 1.2.
CYCLONEDX = [version for version in SchemaVersion if version not in (SchemaVersion.V1_0, SchemaVersion.V1_1)]


def spdx(version):
    package = Package("SPDXRef-web", "web", SpdxNoAssertion(), version="1.0", files_analyzed=False)
    if version == "SPDX-2.2":
        # These became optional in 2.3.
        package.license_concluded = package.license_declared = package.copyright_text = SpdxNoAssertion()
    made = CreationInfo(
        version,
        "SPDXRef-DOCUMENT",
        "web",
        "https://example.com/web",
        [Actor(ActorType.TOOL, "a tool")],
        datetime(2026, 1, 1, tzinfo=timezone.utc).replace(tzinfo=None),
    )
    described = Relationship("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, "SPDXRef-web")
    stream = io.StringIO()
    write_document_to_stream(Document(made, packages=[package], relationships=[described]), stream)
    return stream.getvalue().encode()


def cyclonedx(version):
    web = Component(name="web", version="1.0", type=ComponentType.CONTAINER)
    library = Component(name="left", version="1.2", type=ComponentType.LIBRARY, purl=PackageURL("npm", name="left", version="1.2"))
    bom = Bom(components=[library])
    bom.metadata.component = web
    bom.register_dependency(web, [library])
    return make_outputter(bom, OutputFormat.JSON, version).output_as_string(indent=2).encode()


def problems_of_spdx(file, version):
    found = parse_from_file(str(file))
    told = [problem.validation_message for problem in validate_full_spdx_document(found, version)]
    return told if found.creation_info.spdx_version == version else told + [found.creation_info.spdx_version]


def problems_of_cyclonedx(file, version):
    problem = JsonStrictValidator(version).validate_str(file.read_text())
    return [] if problem is None else [str(problem)]


def refuses(name, document, problems, old, new):
    """A judge that finds nothing wrong with a broken document is none."""
    with tempfile.TemporaryDirectory() as temporary:
        broken = pathlib.Path(temporary) / "broken.json"
        broken.write_bytes(document.replace(old, new))
        try:
            told = broken.read_bytes() == document or problems(broken)
        except Exception as refused:
            told = str(refused)
    if not told or told is True:
        sys.exit(f"{name}: nothing was found wrong with {new!r} for {old!r}")


def call(program, directory, *arguments):
    environment = {"HOME": str(directory), "PATH": os.environ.get("PATH", "")}
    done = subprocess.run([program, *arguments], cwd=directory, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")


def hold(program, directory, kind, name, document, problems):
    (directory / "bom.json").write_bytes(document)
    call(program, directory, "attest", "--signer", "local", "oci:web:1.0", "--attest", f"{kind}=bom.json")
    out = directory / f"out {name}"
    call(program, directory, "download", "--signer", "local", "oci:web:1.0", "--to", str(out))
    back = [file for file in out.iterdir() if file.name.startswith(kind)]
    # A newer document of a kind takes the place of the older one.
    if len(back) != 1:
        sys.exit(f"{name}: expected one file of {kind}, found {[file.name for file in out.iterdir()]}")
    if back[0].read_bytes() != document:
        sys.exit(f"{name}: what came back is not what went in")
    told = problems(back[0])
    if told:
        sys.exit(f"{name}: {told}")
    print(f"{name}: {len(document)} bytes")


def main():
    program, held = str(pathlib.Path(sys.argv[1]).resolve()), 0
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        call(program, directory, "demo", "web", "--quiet")
        for version in SPDX:
            document, problems = spdx(version), lambda file: problems_of_spdx(file, version)
            hold(program, directory, "spdx", version, document, problems)
            refuses(version, document, problems, b"SPDXRef-web", b"web")
            held += 1
        for version in CYCLONEDX:
            name = f"CycloneDX {version.to_version()}"
            document, problems = cyclonedx(version), lambda file: problems_of_cyclonedx(file, version)
            hold(program, directory, "cyclonedx", name, document, problems)
            refuses(name, document, problems, b'"library"', b'"nothing"')
            held += 1
    print(f"{held} bills of materials held")


main()
