//! The account of the build that a run attests: awaited, weighed, and told.

use std::fmt;
use std::future::Future;

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, Shared};

use super::Run;
use crate::base::failure::{Cause, Class};
use crate::base::foreign::Foreign;
use crate::domain::plan::Step;
use crate::domain::provenance::{
    Account, BuildLevel, Contradiction, KeyHolder, Runner, Supported, Voucher, supported,
};
use crate::domain::report::{BuildReport, Failure, Finding, Level, Rule, RunReport};
use crate::job::Provenance;
use crate::seams::{Observer, Revocation, Signer, SignerIdentity, WriteStore};

/// An account that is being found out while the run begins: a token's claims have to be checked against keys that
/// somebody else publishes. Asked any number of times, found out once.
#[derive(Clone)]
pub struct Promise(Shared<LocalBoxFuture<'static, Result<Box<Account>, Cause>>>);

impl Promise {
    /// Keeps what is going to give the account.
    pub fn new(account: impl Future<Output = Result<Account, Cause>> + 'static) -> Self {
        Self(
            account
                .map(|account| account.map(Box::new))
                .boxed_local()
                .shared(),
        )
    }

    /// The account.
    ///
    /// # Errors
    /// What stood in its way; nothing may be attested then.
    pub async fn kept(&self) -> Result<Box<Account>, Cause> {
        self.0.clone().await
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Promise(…)")
    }
}

impl PartialEq for Promise {
    /// The same promise, not an equal account.
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl Provenance {
    /// Does some work, and goes on finding out the account meanwhile without waiting for it.
    pub async fn meanwhile<T>(&self, work: impl Future<Output = T>) -> T {
        let finding_out = async {
            let _ = self.account().await;
            std::future::pending::<T>().await
        };
        tokio::select! {
            done = work => done,
            never = finding_out => never,
        }
    }

    /// The account that is attested; none where nothing is.
    pub(super) async fn account(&self) -> Result<Option<Box<Account>>, Cause> {
        match self {
            Self::Off => Ok(None),
            Self::Attach(account) => Ok(Some(account.clone())),
            Self::Awaited(promise) => promise.kept().await.map(Some),
        }
    }
}

impl<S: WriteStore, G: Signer, R: Revocation, O: Observer> Run<'_, S, G, R, O> {
    /// Takes the account over for the rest of the run and tells what there is to tell; where nobody vouches for the build
    /// as it must be vouched for, nothing is written.
    pub(super) fn weigh(&self, account: Result<Option<Box<Account>>, Cause>, report: &mut RunReport) {
        let halt = |report: &mut RunReport, cause| {
            self.halted.set(true);
            report.failures.push(Failure {
                target: None,
                step: Step::Plan,
                cause,
                done: Vec::new(),
            });
        };
        match account {
            Err(cause) => halt(report, cause),
            Ok(None) => {}
            Ok(Some(account)) => {
                let build = Build::new(*account, self.signings.identity());
                report.build = Some(build.report());
                report.findings.extend(build.findings());
                if let Some((finding, cause)) = build.shortfall(self.job.minimum_build_level) {
                    report.findings.push(finding);
                    halt(report, cause);
                }
                let _ = self.build.set(build);
            }
        }
    }

    /// Says so where this run wrote a provenance for which nobody vouches.
    pub(super) fn tell_unverified(&self, report: &mut RunReport) {
        let attestations = report.targets.iter().flat_map(|target| &target.attestations);
        let made = attestations.filter(|attestation| attestation.made_now && attestation.is_provenance());
        if made.count() > 0 {
            report
                .findings
                .extend(self.build.get().and_then(Build::unverified));
        }
    }
}

/// The account of this run's build, weighed.
#[derive(Clone, Debug)]
pub(super) struct Build {
    pub(super) account: Account,
    supported: Supported,
}

impl Build {
    pub(super) fn new(account: Account, signer: &SignerIdentity) -> Self {
        let key = match signer {
            SignerIdentity::LocalKey(_) => KeyHolder::Job,
            SignerIdentity::Profile(_) => KeyHolder::Service,
        };
        let supported = supported(&account, key);
        Self { account, supported }
    }

    /// The build level that the evidence of this run supports.
    pub(super) fn level(&self) -> BuildLevel {
        self.supported.level
    }

    /// Whether a CI host was asked about it, not a person.
    pub(super) fn is_by_host(&self) -> bool {
        self.account.voucher != Voucher::Caller
    }

    /// What the report says of it.
    pub(super) fn report(&self) -> BuildReport {
        let account = &self.account;
        BuildReport {
            builder: account.facts.builder.to_string(),
            build_type: account.facts.build_type.clone(),
            claims_verified: account.is_verified(),
            issuer: match &account.voucher {
                Voucher::Issuer(issuer) => Some(issuer.to_string()),
                Voucher::Record(_) | Voucher::Environment | Voucher::Caller => None,
            },
            record: match &account.voucher {
                Voucher::Record(build) => Some(Foreign::new(build)),
                Voucher::Issuer(_) | Voucher::Environment | Voucher::Caller => None,
            },
            because: account.because.clone().map(Foreign::new),
            claims: account.claims.clone(),
            variables: account.variables.clone(),
            level: self.supported.level.number(),
            reasons: self.supported.reasons.clone(),
        }
    }

    /// What is worth a word, whatever the run does.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let recorded = matches!(self.account.voucher, Voucher::Record(_));
        let contradictions = self.account.contradictions.iter();
        let contradictions = contradictions.map(|found| contradiction(found, recorded));
        let runner = (self.account.runner == Runner::SelfHosted).then(|| {
            Finding::new(
                Rule::SelfHostedRunner,
                "the job ran on a self-hosted runner, by the word of the host's token",
            )
        });
        contradictions.chain(runner).collect()
    }

    /// Said where this run wrote a provenance for which nobody vouches.
    pub(super) fn unverified(&self) -> Option<Finding> {
        if self.account.voucher != Voucher::Environment {
            return None;
        }
        let because = self.account.because.as_deref().unwrap_or("nobody vouches for it");
        Some(Finding {
            found: Some(Foreign::new(because)),
            expected: Some(self.account.wanted.clone().unwrap_or_else(|| {
                "an identity token of the host, checked against its issuer's keys".to_owned()
            })),
            ..Finding::new(
                Rule::ProvenanceUnverifiedClaims,
                "every field of the provenance was taken from the environment, which any step of the job can change",
            )
        })
    }

    /// Where less is supported than demanded: what to say, and the error.
    pub(super) fn shortfall(&self, minimum: Option<BuildLevel>) -> Option<(Finding, Cause)> {
        let minimum = minimum.filter(|minimum| *minimum > self.supported.level)?;
        let found = format!(
            "level {}: {}",
            self.supported.level,
            self.supported.reasons.join("; ")
        );
        let finding = Finding {
            expected: Some(format!("SLSA build level {minimum}")),
            found: Some(Foreign::new(&found)),
            level: Level::Error,
            ..Finding::new(
                Rule::BuildLevelBelowMinimum,
                "the evidence of this run supports a lower build level than minimum-build-level demands",
            )
        };
        let cause = Cause {
            class: Class::Rejected,
            message: format!(
                "minimum-build-level: expected evidence of SLSA build level {minimum}, found {found}"
            ),
            hint: Some(
                "sign in a job of the host's own runners, with a role assumed by its identity token"
                    .to_owned(),
            ),
        };
        Some((finding, cause))
    }
}

fn contradiction(found: &Contradiction, recorded: bool) -> Finding {
    let (member, whose) = if recorded {
        ("member", "the service's own record of the build")
    } else {
        ("claim", "the host's verified token")
    };
    Finding {
        expected: Some(format!(
            "{} ({member} {})",
            crate::base::foreign::quote(found.expected.raw()),
            found.claim
        )),
        found: Some(found.found.clone()),
        ..Finding::new(
            Rule::ClaimsEnvironmentMismatch,
            format!("the variable {} says something else than {whose}", found.variable),
        )
    }
}
