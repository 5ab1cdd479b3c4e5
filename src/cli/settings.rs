//! What the arguments mean: combinations checked, defaults known, nothing of clap left.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::args::{
    AUTHORITY, Cli, Command, DemoArgs, InspectArgs, KeyArgs, LookArgs, PoolArgs, ReportArgs, RunArgs,
    SignerArgs, TimeoutArgs, TrustArgs, VerifyArgs,
};
use super::error::CliError;
use super::images::{ImageText, images, needs_allow};
use super::inputs::Page;
use super::origin::{Naming, Origins};
use super::services::{ServiceSettings, services};
use super::words::{
    Color, FailOn, Format, Pair, ProvenanceMode, Reach, SignerKind, TargetsFormat, Untrusted,
};
use super::{pages, words};
use crate::base::foreign::quote;
use crate::domain::oci::Repository;
use crate::job::{BuilderId, Concurrency, Recursive, Source};

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
    /// Judge what is there.
    Verify(Box<VerifySettings>),
    /// Show what is there.
    Inspect(Box<InspectSettings>),
    /// Say why an image counts as signed, or does not.
    Explain(Box<InspectSettings>),
    /// List what would be acted on.
    Targets(TargetsSettings),
    /// Print a document.
    Print(Page),
}

/// How output looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub color: Color,
    /// Every step is said.
    pub verbose: bool,
    /// Only errors are said.
    pub quiet: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            color: Color::Auto,
            verbose: false,
            quiet: false,
        }
    }
}

/// The local key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChoice {
    /// The CA made once on this machine.
    Made,
    /// Files; the key is none where only the chain is needed.
    Files {
        /// The private key, PEM.
        key: Option<PathBuf>,
        /// The chain, PEM.
        chain: PathBuf,
    },
}

/// Files that say what is trusted; what is none is derived from the signer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustFiles {
    /// Trust policy file.
    pub policy: Option<PathBuf>,
    /// PEM file or truststore directory.
    pub store: Option<PathBuf>,
}

/// What is left behind and what it decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportSettings {
    /// Where files are written.
    pub output_dir: PathBuf,
    /// From which gravity on a finding fails the run.
    pub fail_on: FailOn,
    /// The form of standard output.
    pub format: Format,
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

/// What `run` needs.
#[derive(Debug)]
pub struct RunSettings {
    /// The images.
    pub images: Vec<ImageText>,
    /// A layout's repository.
    pub repository: Option<Repository>,
    /// How much of an index.
    pub recursive: Recursive,
    /// Refuse tags.
    pub require_digest: bool,
    /// The local key; none where AWS Signer signs.
    pub key: Option<KeyChoice>,
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
    /// What is attested.
    pub provenance: ProvenanceWish,
    /// AWS and registries.
    pub services: ServiceSettings,
    /// What is trusted.
    pub trust: TrustFiles,
    /// How many at once.
    pub concurrency: Concurrency,
    /// The report.
    pub report: ReportSettings,
    /// Authority that came from variables.
    pub authority: Vec<String>,
}

/// What `verify` needs.
#[derive(Debug)]
pub struct VerifySettings {
    /// The images.
    pub images: Vec<ImageText>,
    /// A layout's repository.
    pub repository: Option<Repository>,
    /// How much of an index.
    pub recursive: Recursive,
    /// Refuse tags.
    pub require_digest: bool,
    /// The key whose chain the policy is derived from; none where policy and store were given.
    pub key: Option<KeyChoice>,
    /// Pairs that the payload must hold.
    pub metadata: BTreeMap<String, String>,
    /// AWS and registries.
    pub services: ServiceSettings,
    /// What is trusted.
    pub trust: TrustFiles,
    /// How many at once.
    pub concurrency: Concurrency,
    /// The report.
    pub report: ReportSettings,
    /// Authority that came from variables.
    pub authority: Vec<String>,
}

/// What `inspect` needs.
#[derive(Debug)]
pub struct InspectSettings {
    /// The image.
    pub images: Vec<ImageText>,
    /// A layout's repository.
    pub repository: Option<Repository>,
    /// The key whose chain the policy is derived from.
    pub key: Option<KeyChoice>,
    /// AWS and registries.
    pub services: ServiceSettings,
    /// What is trusted.
    pub trust: TrustFiles,
    /// Longest time for the whole.
    pub timeout: Duration,
    /// The form of standard output.
    pub format: Format,
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
        Command::Demo(args) => demo(args, &origins)?,
        Command::Run(args) => run(args, &origins)?,
        Command::Verify(args) => verify(args, &origins)?,
        Command::Inspect(args) => {
            let (settings, look) = inspect(args, &origins)?;
            (Settings::Inspect(Box::new(settings)), look)
        }
        Command::Explain(args) => {
            let (settings, look) = inspect(args, &origins)?;
            (Settings::Explain(Box::new(settings)), look)
        }
        Command::Targets(args) => (
            Settings::Targets(TargetsSettings {
                images: images(&args.images, &origins)?,
                repository: args.images.repository,
                format: args.format,
            }),
            look(&args.look, &origins)?,
        ),
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

fn demo(args: DemoArgs, origins: &Origins) -> Result<(Settings, Look), CliError> {
    let settings = DemoSettings {
        dir: args.dir,
        key: key(args.key, true, origins)?,
        report: report(args.report, args.output.format),
    };
    Ok((Settings::Demo(settings), look(&args.look, origins)?))
}

fn run(args: RunArgs, origins: &Origins) -> Result<(Settings, Look), CliError> {
    let look = look(&args.look, origins)?;
    let images = images(&args.images, origins)?;
    if args.signer.signer == SignerKind::Aws && args.signer.signing_profile.is_none() {
        return Err(no_profile(
            origins,
            "say --signer local to sign with a key of your own",
        ));
    }
    needs_allow(&images, &args.allow.allow, origins)?;
    let settings = RunSettings {
        images,
        repository: args.images.repository,
        recursive: recursive(args.subjects.recursive),
        require_digest: args.subjects.require_digest,
        key: signer_key(&args.signer, args.key, true, origins)?,
        allow: args.allow.allow,
        services: services(&args.signer, args.services, origins)?,
        expires_in: args.signing.expires_in.map(|words::Span(duration)| duration),
        resign: args.signing.resign,
        dry_run: args.signing.dry_run,
        untrusted: args.event.untrusted,
        metadata: metadata(args.metadata.metadata, origins)?,
        provenance: provenance(args.provenance, origins)?,
        trust: trust(args.trust),
        concurrency: concurrency(&args.pool, &args.timeout),
        report: report(args.report, args.output.format),
        authority: origins.variables_among(AUTHORITY),
    };
    Ok((Settings::Run(Box::new(settings)), look))
}

fn verify(args: VerifyArgs, origins: &Origins) -> Result<(Settings, Look), CliError> {
    let look = look(&args.look, origins)?;
    let trust = trust(args.trust);
    let key = signer_key(&args.signer, args.key, false, origins)?;
    let images = images(&args.images, origins)?;
    if key.is_none() && trust.policy.is_none() && args.signer.signing_profile.is_none() {
        let instead = "say --signer local to check against your own key, or give trust-policy";
        return Err(no_profile(origins, instead));
    }
    let settings = VerifySettings {
        images,
        repository: args.images.repository,
        recursive: recursive(args.subjects.recursive),
        require_digest: args.subjects.require_digest,
        key,
        services: services(&args.signer, args.services, origins)?,
        metadata: metadata(args.metadata.metadata, origins)?,
        trust,
        concurrency: concurrency(&args.pool, &args.timeout),
        report: report(args.report, args.output.format),
        authority: origins.variables_among(AUTHORITY),
    };
    Ok((Settings::Verify(Box::new(settings)), look))
}

fn inspect(args: InspectArgs, origins: &Origins) -> Result<(InspectSettings, Look), CliError> {
    let look = look(&args.look, origins)?;
    let settings = InspectSettings {
        images: images(&args.images, origins)?,
        repository: args.images.repository,
        key: signer_key(&args.signer, args.key, false, origins)?,
        services: services(&args.signer, args.services, origins)?,
        trust: trust(args.trust),
        timeout: args.timeout.timeout.0,
        format: args.output.format,
    };
    Ok((settings, look))
}

fn no_profile(origins: &Origins, instead: &str) -> CliError {
    CliError::Missing {
        argument: origins.spell("signing-profile"),
        why: format!("the signing profile of AWS Signer; or {instead}"),
    }
}

/// The local key, or none where AWS Signer is meant.
fn signer_key(
    signer: &SignerArgs,
    args: KeyArgs,
    signs: bool,
    origins: &Origins,
) -> Result<Option<KeyChoice>, CliError> {
    let stray = [("local-key", &args.local_key), ("local-chain", &args.local_chain)];
    match signer.signer {
        SignerKind::Local => key(args, signs, origins).map(Some),
        SignerKind::Aws => match stray.iter().find(|(_, file)| file.is_some()) {
            Some((name, _)) => Err(CliError::Together {
                first: origins.spell(name),
                second: format!("{} aws", origins.spell("signer")),
                why: "a key file is for the signer local",
            }),
            None => Ok(None),
        },
    }
}

fn key(args: KeyArgs, signs: bool, origins: &Origins) -> Result<KeyChoice, CliError> {
    match (args.local_key, args.local_chain) {
        (None, None) => Ok(KeyChoice::Made),
        (Some(_), None) => Err(CliError::Missing {
            argument: origins.spell("local-chain"),
            why: "the certificates of the key".to_owned(),
        }),
        (None, Some(_)) if signs => Err(CliError::Missing {
            argument: origins.spell("local-key"),
            why: "the private key of the chain".to_owned(),
        }),
        (key, Some(chain)) => Ok(KeyChoice::Files { key, chain }),
    }
}

fn provenance(args: super::args::ProvenanceArgs, origins: &Origins) -> Result<ProvenanceWish, CliError> {
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

/// Parses a word of the job.
fn word<T: std::str::FromStr>(text: &str, name: &str, origins: &Origins) -> Result<T, CliError>
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

fn look(args: &LookArgs, origins: &Origins) -> Result<Look, CliError> {
    if args.verbose && args.quiet {
        return Err(CliError::Together {
            first: origins.spell("verbose"),
            second: origins.spell("quiet"),
            why: "one says more, the other less",
        });
    }
    Ok(Look {
        color: args.color,
        verbose: args.verbose,
        quiet: args.quiet,
    })
}

fn report(args: ReportArgs, format: Format) -> ReportSettings {
    ReportSettings {
        output_dir: args.output_dir,
        fail_on: args.fail_on,
        format,
    }
}

fn trust(args: TrustArgs) -> TrustFiles {
    TrustFiles {
        policy: args.trust_policy,
        store: args.trust_store,
    }
}

fn concurrency(args: &PoolArgs, timeout: &TimeoutArgs) -> Concurrency {
    Concurrency {
        jobs: args.jobs.0,
        timeout: timeout.timeout.0,
        fail_fast: args.fail_fast,
    }
}

fn recursive(reach: Reach) -> Recursive {
    match reach {
        Reach::Index => Recursive::Index,
        Reach::Platforms => Recursive::Platforms,
        Reach::All => Recursive::All,
    }
}
