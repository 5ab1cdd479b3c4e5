//! The table of formats: one row each, with its stable id and name.

use super::input::Input;
use super::reading::Reading;
use super::{
    buildpacks, buildx, cloud_build, codepipeline, compose, ecr, generic, github, goreleaser, jib,
    key_values, layout, literal, metadata_action, oras, push_output, report, skaffold, tekton, werf,
};
use crate::base::foreign::Foreign;

/// One format.
#[derive(Clone, Copy)]
pub struct Format {
    /// Its id, as `F17`.
    pub id: &'static str,
    /// Its name, as `goreleaser`.
    pub name: &'static str,
    /// What writes it.
    pub tool: &'static str,
    pub(super) read: fn(&Input<'_>, &mut Reading),
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.id, self.name)
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Format {}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a format by id or name, as F05 or buildx, found {}", .0.quote())]
pub struct UnknownFormat(pub Foreign);

impl std::str::FromStr for &'static Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Format::find(text).ok_or_else(|| UnknownFormat(Foreign::new(text)))
    }
}

impl Format {
    /// The format of an id or name, letter case ignored.
    pub fn find(text: &str) -> Option<&'static Self> {
        FORMATS
            .iter()
            .find(|format| format.id.eq_ignore_ascii_case(text) || format.name.eq_ignore_ascii_case(text))
    }
}

const fn row(
    id: &'static str,
    name: &'static str,
    tool: &'static str,
    read: fn(&Input<'_>, &mut Reading),
) -> Format {
    Format { id, name, tool, read }
}

/// Every format, by id.
pub const FORMATS: [Format; 36] = [
    row("F01", "list", "plain list of references", literal::read),
    row(
        "F02",
        "github-artifacts-list",
        "GitHub Actions, $GITHUB_ARTIFACTS_LIST",
        github::read,
    ),
    row(
        "F03",
        "github-artifacts",
        "GitHub Actions, $GITHUB_ARTIFACTS",
        literal::read,
    ),
    row(
        "F04",
        "build-push-action",
        "docker/build-push-action, outputs",
        buildx::read_outputs,
    ),
    row(
        "F05",
        "buildx",
        "docker buildx build --metadata-file",
        buildx::read_build,
    ),
    row(
        "F06",
        "bake",
        "docker buildx bake --metadata-file",
        buildx::read_bake,
    ),
    row(
        "F07",
        "imagetools",
        "docker buildx imagetools create --metadata-file",
        buildx::read_imagetools,
    ),
    row(
        "F08",
        "depot",
        "depot build or bake --metadata-file",
        buildx::read_bake,
    ),
    row(
        "F09",
        "metadata-action",
        "docker/metadata-action, output json",
        metadata_action::read,
    ),
    row(
        "F10",
        "ko",
        "ko build, standard output or --image-refs",
        literal::read,
    ),
    row("F11", "jib", "Jib, jib-image.json", jib::read),
    row(
        "F12",
        "kaniko",
        "kaniko, digest and image name files",
        literal::read_either,
    ),
    row(
        "F13",
        "buildah",
        "buildah or podman push --digestfile",
        literal::read_either,
    ),
    row("F14", "skopeo", "skopeo copy --digestfile", literal::read_either),
    row(
        "F15",
        "crane",
        "crane, standard output or --image-refs",
        literal::read_either,
    ),
    row(
        "F16",
        "apko",
        "apko publish, standard output or --image-refs",
        literal::read,
    ),
    row(
        "F17",
        "goreleaser",
        "GoReleaser, artifacts.json or digests.txt",
        goreleaser::read,
    ),
    row("F18", "buildpacks", "Buildpacks, report.toml", buildpacks::read),
    row(
        "F19",
        "bazel",
        "Bazel rules_oci, digest or push output",
        literal::read_either,
    ),
    row("F20", "nix", "Nix with skopeo, digest file", literal::read_either),
    row(
        "F21",
        "codepipeline",
        "CodePipeline, imageDetail.json or imagedefinitions.json",
        codepipeline::read,
    ),
    row(
        "F22",
        "compose",
        "docker compose config, YAML or JSON",
        compose::read,
    ),
    row("F23", "earthly", "Earthly, a list by hand", literal::read),
    row("F24", "tekton", "Tekton, results or artifacts", tekton::read),
    row(
        "F25",
        "dotenv",
        "GitLab dotenv and other KEY=VALUE files",
        key_values::read_dotenv,
    ),
    row("F26", "werf", "werf --save-build-report", werf::read),
    row("F27", "skaffold", "skaffold build --file-output", skaffold::read),
    row(
        "F28",
        "ecr-event",
        "Amazon EventBridge, ECR Image Action",
        ecr::read_event,
    ),
    row("F29", "oras", "oras push or attach --format json", oras::read),
    row(
        "F30",
        "docker-push",
        "docker push, standard output",
        push_output::read_docker,
    ),
    row("F31", "helm", "helm push, output", push_output::read_helm),
    row("F32", "oci-layout", "OCI image layout, index.json", layout::read),
    row(
        "F33",
        "ecr-images",
        "aws ecr describe-images or put-image",
        ecr::read_images,
    ),
    row(
        "F34",
        "cloud-build",
        "Google Cloud Build, results",
        cloud_build::read,
    ),
    row("F35", "json", "JSON array or lines of references", generic::read),
    row("F36", "report", "countersign, report.json", report::read),
];
