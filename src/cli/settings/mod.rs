//! What the arguments mean: combinations checked, defaults known, nothing of clap left.

mod asked;
mod left;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::args::{
    AttestArgs, Cli, Command, CopyArgs, DemoArgs, DownloadArgs, ExplainArgs, InspectArgs, LevelArgs,
    PredicateArgs, ProvenanceArgs, RunArgs, ServiceArgs, TargetsArgs, TaskArgs, TrustArgs, VerifyArgs,
};
use super::error::CliError;
use super::images::{ImageText, images};
use super::inputs::Page;
use super::origin::{Naming, Origins};
use super::services::{ServiceSettings, unsigned};
use super::words::{Format, Pair, ProvenanceMode, Reach, TargetsFormat, Untrusted};
use super::{pages, words};
use crate::base::foreign::quote;
use crate::domain::oci::{MediaType, Repository};
use crate::job::{
    BuildKit, BuildLevel, BuilderId, Concurrency, Images, PredicateChoice, Recursive, Source, Unbound,
};

pub use asked::{Asked, KeyChoice, NOTATION, TrustFiles};
pub use left::{Look, ReportSettings, TaskSettings};

use asked::{Need, asked, key};
use left::{concurrency, look, report, task};

/// One call of the program.
#[derive(Debug)]
pub struct Invocation {
    /// What is to be done.
    pub settings: Settings,
    /// How output looks.
    pub look: Look,
    /// What the person should know about the inputs.
    pub warnings: Vec<String>,
    /// Where each value came from.
    pub origins: Origins,
}

/// What is to be done.
#[derive(Debug)]
pub enum Settings {
    /// The main job on an image of its own making.
    Demo(DemoSettings),
    /// The main job.
    Run(Box<RunSettings>),
    /// Attach documents.
    Attest(Box<RunSettings>),
    /// Judge what is there.
    Verify(Box<VerifySettings>),
    /// Show what is there.
    Inspect(Box<InspectSettings>),
    /// Say why an image counts as signed, or does not.
    Explain(Box<ExplainSettings>),
    /// Write attestations to files.
    Download(Box<DownloadSettings>),
    /// Copy an image with everything that hangs on it.
    Copy(Box<CopySettings>),
    /// List what would be acted on.
    Targets(Box<TargetsSettings>),
    /// Print a document.
    Print(Page),
}

/// What `demo` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoSettings {
    /// Where the image is written.
    pub dir: PathBuf,
    /// The key.
    pub key: KeyChoice,
    /// The report.
    pub report: ReportSettings,
}

/// What `run` and `attest` need.
#[derive(Debug)]
pub struct RunSettings {
    /// The images, who signs them, and what the result is judged by.
    pub asked: Asked,
    /// How much of an index.
    pub recursive: Recursive,
    /// Refuse tags.
    pub require_digest: bool,
    /// Globs outside which nothing is signed; empty takes the default.
    pub allow: Vec<String>,
    /// How long signatures hold.
    pub expires_in: Option<Duration>,
    /// Sign again.
    pub resign: bool,
    /// Plan only.
    pub dry_run: bool,
    /// What is done on an untrusted event.
    pub untrusted: Untrusted,
    /// Pairs of the payload.
    pub metadata: BTreeMap<String, String>,
    /// What becomes of the images themselves.
    pub signs: Images,
    /// What is attested.
    pub provenance: ProvenanceWish,
    /// The build level that the evidence has to support.
    pub minimum_build_level: Option<BuildLevel>,
    /// What else is.
    pub predicates: Vec<PredicateChoice>,
    /// Whether what was verified is summed up.
    pub summary: SummaryWish,
    /// What becomes of what nothing ties to this run.
    pub unbound: Unbound,
    /// What becomes of the attestations inside an index.
    pub buildkit: BuildKit,
    /// How the images are worked through.
    pub task: TaskSettings,
}

/// What `verify` needs.
#[derive(Debug)]
pub struct VerifySettings {
    /// The images, and what they are judged by.
    pub asked: Asked,
    /// How much of an index.
    pub recursive: Recursive,
    /// Refuse tags.
    pub require_digest: bool,
    /// Pairs that the payload must hold.
    pub metadata: BTreeMap<String, String>,
    /// How the images are worked through.
    pub task: TaskSettings,
}

/// What `inspect` needs.
#[derive(Debug)]
pub struct InspectSettings {
    /// The image, and what it is judged by.
    pub asked: Asked,
    /// Longest time for the whole.
    pub timeout: Duration,
    /// The form of standard output.
    pub format: Format,
}

/// What `explain` needs.
#[derive(Debug)]
pub struct ExplainSettings {
    /// The image, and what it is judged by.
    pub inspect: InspectSettings,
    /// Pairs that the payload must hold.
    pub metadata: BTreeMap<String, String>,
}

/// What `download` needs.
#[derive(Debug)]
pub struct DownloadSettings {
    /// The image, and what it is judged by.
    pub asked: Asked,
    /// Where files are written.
    pub to: PathBuf,
    /// Longest time for the whole.
    pub timeout: Duration,
    /// The form of standard output.
    pub format: Format,
}

/// What `copy` needs.
#[derive(Debug)]
pub struct CopySettings {
    /// Where from and where to, and what the image is judged by.
    pub asked: Asked,
    /// How the image is worked through.
    pub task: TaskSettings,
}

/// What `targets` needs.
#[derive(Debug)]
pub struct TargetsSettings {
    /// The images.
    pub images: Vec<ImageText>,
    /// The repository of what has none.
    pub repository: Option<Repository>,
    /// The form of standard output.
    pub format: TargetsFormat,
    /// Whether the store is asked.
    pub resolve: bool,
    /// AWS and registries.
    pub services: ServiceSettings,
    /// How many at once.
    pub concurrency: Concurrency,
}

/// What is wanted of provenance, before the host was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvenanceWish {
    /// None.
    Off,
    /// From these, or from the host.
    Auto {
        /// Who built.
        builder: Option<BuilderId>,
        /// From what.
        source: Option<Source>,
    },
}

/// What is wanted of a summary of what was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummaryWish {
    /// None.
    Off,
    /// One that is attached and signed.
    Attach,
}

impl Invocation {
    /// A page that was asked for.
    pub(super) fn page(page: Page) -> Self {
        Self {
            settings: Settings::Print(page),
            look: Look::default(),
            warnings: Vec::new(),
            origins: Origins::new(Naming::Flags),
        }
    }
}

/// Checks combinations and says what was meant.
pub(super) fn settings(cli: Cli, origins: Origins, warnings: Vec<String>) -> Result<Invocation, CliError> {
    let (settings, look) = match cli.command {
        Command::Demo(args) => {
            let look = look(&args.look, &origins)?;
            (Settings::Demo(demo(args, &origins)?), look)
        }
        Command::Run(args) => {
            let look = look(&args.task.look, &origins)?;
            (Settings::Run(Box::new(run(args, &origins)?)), look)
        }
        Command::Attest(args) => {
            let look = look(&args.task.look, &origins)?;
            (Settings::Attest(Box::new(attest(args, &origins)?)), look)
        }
        Command::Verify(args) => {
            let look = look(&args.task.look, &origins)?;
            (Settings::Verify(Box::new(verify(args, &origins)?)), look)
        }
        Command::Inspect(args) => {
            let look = look(&args.look, &origins)?;
            (Settings::Inspect(Box::new(inspect(args, &origins)?)), look)
        }
        Command::Explain(args) => {
            let look = look(&args.inspect.look, &origins)?;
            (Settings::Explain(Box::new(explain(args, &origins)?)), look)
        }
        Command::Download(args) => {
            let look = look(&args.show.look, &origins)?;
            (Settings::Download(Box::new(download(args, &origins)?)), look)
        }
        Command::Copy(args) => {
            let look = look(&args.task.look, &origins)?;
            (Settings::Copy(Box::new(copy(args, &origins)?)), look)
        }
        Command::Targets(args) => {
            let look = look(&args.look, &origins)?;
            (Settings::Targets(Box::new(targets(args, &origins)?)), look)
        }
        Command::Completions(args) => return Ok(Invocation::page(pages::completions(args.shell))),
        Command::Man | Command::Action => return Ok(Invocation::page(pages::manual())),
    };
    Ok(Invocation {
        settings,
        look,
        warnings,
        origins,
    })
}

fn demo(args: DemoArgs, origins: &Origins) -> Result<DemoSettings, CliError> {
    Ok(DemoSettings {
        dir: args.dir,
        key: key(args.key, true, origins)?,
        report: report(args.report, args.output.format),
    })
}

fn run(args: RunArgs, origins: &Origins) -> Result<RunSettings, CliError> {
    let (judged_by, task) = halves(args.task, origins);
    let asked = asked(args.images, args.who, judged_by, Need::Signing, origins)?.expecting(args.expect);
    one_summary(&args.provenance, &args.predicates, origins)?;
    Ok(RunSettings {
        asked,
        recursive: recursive(args.subjects.recursive),
        require_digest: args.subjects.require_digest,
        allow: args.allow.allow,
        expires_in: args.how.expires_in.map(|words::Span(duration)| duration),
        resign: args.signing.resign,
        dry_run: args.how.dry_run,
        untrusted: args.event.untrusted,
        metadata: metadata(args.metadata.metadata, origins)?,
        signs: Images::Sign,
        unbound: unbound(&args.provenance, origins)?,
        buildkit: if args.lift.lift_buildkit {
            BuildKit::Lift
        } else {
            BuildKit::Leave
        },
        minimum_build_level: minimum(&args.provenance, origins)?,
        summary: if args.provenance.vsa {
            SummaryWish::Attach
        } else {
            SummaryWish::Off
        },
        provenance: provenance(args.provenance, origins)?,
        predicates: args.predicates.attest,
        task,
    })
}

/// A summary of the run's own and one from a file would take each other's place.
fn one_summary(own: &ProvenanceArgs, given: &PredicateArgs, origins: &Origins) -> Result<(), CliError> {
    let is_summary = |choice: &PredicateChoice| choice.artifact_type() == MediaType::VSA;
    if own.vsa && given.attest.iter().any(is_summary) {
        return Err(CliError::Together {
            first: origins.spell("vsa"),
            second: format!("{} vsa", origins.spell("attest")),
            why: "an image has one summary by one signer",
        });
    }
    Ok(())
}

/// The part of `run` that attaches documents to images which are there.
fn attest(args: AttestArgs, origins: &Origins) -> Result<RunSettings, CliError> {
    let (judged_by, task) = halves(args.task, origins);
    let asked = asked(args.images, args.who, judged_by, Need::Signing, origins)?;
    if args.predicates.attest.is_empty() {
        return Err(CliError::Missing {
            argument: origins.spell("attest"),
            why: "what is to be attached, as spdx=bom.json".to_owned(),
        });
    }
    Ok(RunSettings {
        asked,
        recursive: recursive(args.subjects.recursive),
        require_digest: args.subjects.require_digest,
        allow: args.allow.allow,
        expires_in: args.how.expires_in.map(|words::Span(duration)| duration),
        resign: false,
        dry_run: args.how.dry_run,
        untrusted: args.event.untrusted,
        metadata: BTreeMap::new(),
        signs: Images::Leave,
        unbound: Unbound::Tell,
        buildkit: BuildKit::Leave,
        minimum_build_level: None,
        provenance: ProvenanceWish::Off,
        predicates: args.predicates.attest,
        summary: SummaryWish::Off,
        task,
    })
}

fn verify(args: VerifyArgs, origins: &Origins) -> Result<VerifySettings, CliError> {
    let (judged_by, task) = halves(args.task, origins);
    Ok(VerifySettings {
        asked: asked(args.images, args.who, judged_by, Need::Judging, origins)?
            .expecting(args.expect)
            .at_least(level(&args.level, origins)?),
        recursive: recursive(args.subjects.recursive),
        require_digest: args.subjects.require_digest,
        metadata: metadata(args.metadata.metadata, origins)?,
        task,
    })
}

fn copy(args: CopyArgs, origins: &Origins) -> Result<CopySettings, CliError> {
    let (judged_by, task) = halves(args.task, origins);
    Ok(CopySettings {
        asked: asked(args.images, args.who, judged_by, Need::Judging, origins)?,
        task,
    })
}

fn inspect(args: InspectArgs, origins: &Origins) -> Result<InspectSettings, CliError> {
    let judged_by = (args.services, args.trust);
    Ok(InspectSettings {
        asked: asked(args.images, args.who, judged_by, Need::Listing, origins)?,
        timeout: args.timeout.timeout.0,
        format: args.output.format,
    })
}

fn explain(args: ExplainArgs, origins: &Origins) -> Result<ExplainSettings, CliError> {
    Ok(ExplainSettings {
        inspect: inspect(args.inspect, origins)?,
        metadata: metadata(args.metadata.metadata, origins)?,
    })
}

fn download(args: DownloadArgs, origins: &Origins) -> Result<DownloadSettings, CliError> {
    let show = inspect(args.show, origins)?;
    Ok(DownloadSettings {
        asked: show.asked,
        to: args.to,
        timeout: show.timeout,
        format: show.format,
    })
}

fn targets(args: TargetsArgs, origins: &Origins) -> Result<TargetsSettings, CliError> {
    Ok(TargetsSettings {
        images: images(&args.images, origins)?,
        repository: args.images.repository,
        format: args.format,
        resolve: args.resolve,
        services: unsigned(args.services, origins)?,
        concurrency: concurrency(&args.pool, &args.timeout),
    })
}

/// What images are judged by, and how they are worked through.
fn halves(args: TaskArgs, origins: &Origins) -> ((ServiceArgs, TrustArgs), TaskSettings) {
    let report = report(args.report, args.output.format);
    let task = task((&args.pool, &args.timeout), report, origins);
    ((args.services, args.trust), task)
}

fn provenance(args: ProvenanceArgs, origins: &Origins) -> Result<ProvenanceWish, CliError> {
    let builder = args
        .builder_id
        .map(|text| word(&text, "builder-id", origins))
        .transpose()?;
    let source = args
        .source
        .map(|text| word(&text, "source", origins))
        .transpose()?;
    Ok(match args.provenance {
        ProvenanceMode::Off => ProvenanceWish::Off,
        ProvenanceMode::Auto => ProvenanceWish::Auto { builder, source },
    })
}

/// What becomes of what nothing ties; without a provenance there is nothing to tie.
fn unbound(args: &ProvenanceArgs, origins: &Origins) -> Result<Unbound, CliError> {
    if args.require_binding && args.provenance == ProvenanceMode::Off {
        return Err(CliError::Together {
            first: origins.spell("require-binding"),
            second: format!("{} off", origins.spell("provenance")),
            why: "it is the provenance's run that an image is tied to",
        });
    }
    Ok(if args.require_binding {
        Unbound::Refuse
    } else {
        Unbound::Tell
    })
}

/// The minimum build level of what is to be attested; without a provenance there is nothing to hold it against.
fn minimum(args: &ProvenanceArgs, origins: &Origins) -> Result<Option<BuildLevel>, CliError> {
    if args.level.minimum_build_level.is_some() && args.provenance == ProvenanceMode::Off {
        return Err(CliError::Together {
            first: origins.spell("minimum-build-level"),
            second: format!("{} off", origins.spell("provenance")),
            why: "a level is that of a provenance",
        });
    }
    level(&args.level, origins)
}

fn level(args: &LevelArgs, origins: &Origins) -> Result<Option<BuildLevel>, CliError> {
    let text = args.minimum_build_level.as_deref();
    text.map(|text| word(text, "minimum-build-level", origins))
        .transpose()
}

/// Parses a word of the job.
pub(super) fn word<T: std::str::FromStr>(text: &str, name: &str, origins: &Origins) -> Result<T, CliError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| CliError::Value {
        argument: origins.spell(name),
        problem: error.to_string(),
        value: None,
    })
}

fn metadata(pairs: Vec<Pair>, origins: &Origins) -> Result<BTreeMap<String, String>, CliError> {
    let mut map = BTreeMap::new();
    for pair in pairs {
        if map.insert(pair.key.clone(), pair.value).is_some() {
            return Err(CliError::Value {
                argument: origins.spell("metadata"),
                problem: format!("expected every key once, found {} twice", quote(&pair.key)),
                value: None,
            });
        }
    }
    Ok(map)
}

fn recursive(reach: Reach) -> Recursive {
    match reach {
        Reach::Index => Recursive::Index,
        Reach::Platforms => Recursive::Platforms,
        Reach::All => Recursive::All,
    }
}
