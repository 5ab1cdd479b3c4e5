//! `countersign demo`: the main job on an image of its own making.

use std::path::Path;
use std::time::Duration;

use super::publish::publishing;
use super::{Scene, run, said};
use crate::base::failure::{Cause, Classified};
use crate::cli::{
    Asked, DemoSettings, Format, ImageText, KeyChoice, Origins, ProvenanceWish, RunSettings, ServiceSettings,
    SummaryWish, TaskSettings, TrustFiles, Untrusted,
};
use crate::edge::layout::demo_image;
use crate::job::{BuildKit, Concurrency, Images, Recursive, Unbound};

/// Who "built" the demo image.
const BUILDER: &str = "https://github.com/countersign/countersign/demo";

/// What it was "built" from.
const SOURCE: &str = "https://github.com/countersign/countersign";

pub(super) async fn demo(settings: &DemoSettings, origins: &Origins, scene: &Scene<'_>) -> Result<u8, Cause> {
    let written = demo_image::write(&settings.dir).map_err(|error| Cause::of(&error))?;
    let image = written.image.to_string();
    let verb = if written.reused { "found" } else { "wrote" };
    scene
        .writer
        .note(&format!("{verb} the demo image {image} ({})", written.digest));
    let run = run_settings(settings, &image)?;
    let work = run::work("demo", &run, origins, scene);
    let code = publishing("demo", &settings.report, scene, work).await?;
    if settings.report.format == Format::Json {
        return Ok(code);
    }
    Ok(said(
        scene.writer,
        scene.writer.text(&commands(settings, &image)),
        code,
    ))
}

/// The same as `run` would be given.
fn run_settings(settings: &DemoSettings, image: &str) -> Result<RunSettings, Cause> {
    Ok(RunSettings {
        asked: Asked {
            images: vec![ImageText::new(image, "demo")],
            repository: None,
            key: Some(settings.key.clone()),
            services: ServiceSettings::default(),
            trust: TrustFiles::default(),
        },
        recursive: Recursive::Index,
        require_digest: false,
        allow: Vec::new(),
        expires_in: None,
        resign: false,
        dry_run: false,
        untrusted: Untrusted::Skip,
        metadata: std::collections::BTreeMap::new(),
        minimum_build_level: None,
        signs: Images::Sign,
        predicates: Vec::new(),
        summary: SummaryWish::Off,
        unbound: Unbound::Tell,
        buildkit: BuildKit::Leave,
        provenance: ProvenanceWish::Auto {
            builder: Some(parsed(BUILDER)?),
            source: Some(parsed(SOURCE)?),
        },
        task: TaskSettings {
            concurrency: Concurrency {
                jobs: 1,
                timeout: Duration::from_mins(10),
                fail_fast: false,
            },
            report: settings.report.clone(),
            authority: Vec::new(),
        },
    })
}

fn parsed<T: std::str::FromStr<Err: Classified>>(text: &str) -> Result<T, Cause> {
    text.parse().map_err(|error| Cause::of(&error))
}

/// The commands that the demo stands for, to be copied into a shell.
fn commands(settings: &DemoSettings, image: &str) -> String {
    let key = match &settings.key {
        KeyChoice::Files {
            key: Some(key),
            chain,
        } => {
            format!(" --local-key {} --local-chain {}", shell(key), shell(chain))
        }
        KeyChoice::Files { key: None, .. } | KeyChoice::Made => String::new(),
    };
    let image = shell(Path::new(image));
    format!(
        "\nThe demo stands for these commands:\n\n  \
         countersign run --signer local{key} --builder-id {BUILDER} --source {SOURCE} {image}\n  \
         countersign verify --signer local{key} {image}\n  \
         countersign inspect --signer local{key} {image}\n"
    )
}

/// A word as a POSIX shell reads it.
fn shell(word: &Path) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
