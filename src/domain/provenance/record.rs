//! A build service's own record of a build: what it says itself, whatever the build's steps say.
//!
//! Source: AWS `CodeBuild` API reference, `BatchGetBuilds` and the data type `Build`.

use std::collections::BTreeMap;

use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::time::Timestamp;
use crate::base::tree::{Cursor, DocumentError};

/// The members of a record that are read: as facts name them, and where they are. Nothing else is kept, the build's
/// variables least of all: plain-text secrets stand there.
const MEMBERS: [(&str, &str); 8] = [
    ("arn", "/arn"),
    ("buildStatus", "/buildStatus"),
    ("source.location", "/source/location"),
    ("sourceVersion", "/sourceVersion"),
    ("resolvedSourceVersion", "/resolvedSourceVersion"),
    ("initiator", "/initiator"),
    ("environment.image", "/environment/image"),
    ("encryptionKey", "/encryptionKey"),
];

/// The status of a build that is running (AWS `CodeBuild` API reference, `Build`, `buildStatus`).
const RUNNING: &str = "IN_PROGRESS";

/// What AWS `CodeBuild` recorded of one build.
///
/// ```
/// use countersign::domain::provenance::BuildRecord;
/// let arn = "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f";
/// let answer = format!(
///     r#"{{"builds":[{{"arn":"{arn}","buildStatus":"IN_PROGRESS","startTime":1.785578400123E9,
///         "environment":{{"environmentVariables":[{{"name":"TOKEN","value":"hush"}}]}}}}]}}"#
/// );
/// let record = BuildRecord::find(answer.as_bytes(), arn)?.ok_or("no record")?;
/// assert!(record.is_running());
/// assert_eq!(record.started().map(|at| at.to_string()).as_deref(), Some("2026-08-01T10:00:00Z"));
/// assert!(!format!("{record:?}").contains("hush"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRecord {
    members: BTreeMap<&'static str, String>,
    started: Option<Timestamp>,
}

impl BuildRecord {
    /// Finds the record of a build in an answer of `BatchGetBuilds`; none where the service knows no such build.
    ///
    /// # Errors
    /// [`DocumentError`] for an answer that is none.
    pub fn find(answer: &[u8], arn: &str) -> Result<Option<Self>, DocumentError> {
        let document = json::read(answer, Bounds::MANIFEST)?;
        let builds = document.cursor().object()?.required("builds")?.array()?;
        let records = builds.iter().map(Self::read);
        let records: Vec<Self> = records.collect::<Result<_, _>>()?;
        Ok(records.into_iter().find(|record| record.arn() == arn))
    }

    fn read(build: &Cursor<'_>) -> Result<Self, DocumentError> {
        build.object()?.required("arn")?.string()?;
        let mut members = BTreeMap::new();
        for (name, pointer) in MEMBERS {
            let member = build.pointer(pointer).filter(|member| !member.is_null());
            if let Some(member) = member {
                members.insert(name, member.string()?.to_owned());
            }
        }
        let started = build.pointer("/startTime").filter(|time| !time.is_null());
        Ok(Self {
            members,
            started: started.map(|time| time.epoch_seconds()).transpose()?,
        })
    }

    /// A member, by the names of `MEMBERS`.
    pub fn text(&self, name: &str) -> Option<String> {
        if name == "startTime" {
            return self.started.map(|at| at.to_string());
        }
        self.members.get(name).filter(|text| !text.is_empty()).cloned()
    }

    /// The build.
    pub fn arn(&self) -> &str {
        self.members.get("arn").map(String::as_str).unwrap_or_default()
    }

    /// What the service says that the build is doing.
    pub fn status(&self) -> &str {
        self.members
            .get("buildStatus")
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// Whether the build is running, as that of a job must be that attests it.
    pub fn is_running(&self) -> bool {
        self.status() == RUNNING
    }

    /// When the build began, without the second's fraction.
    pub fn started(&self) -> Option<Timestamp> {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ARN: &str = "arn:aws:codebuild:eu-west-1:111122223333:build/web:8d1f";

    fn find(build: &str) -> Result<Option<BuildRecord>, DocumentError> {
        BuildRecord::find(
            format!(r#"{{"builds":[{build}],"buildsNotFound":[]}}"#).as_bytes(),
            ARN,
        )
    }

    #[test]
    fn the_record_is_that_of_the_build_that_was_asked_about() {
        let other = format!(r#"{{"arn":"{}"}}"#, ARN.replace("web", "api"));
        assert_eq!(find(""), Ok(None));
        assert_eq!(find(&other), Ok(None));
        let both = format!(r#"{other},{{"arn":"{ARN}","initiator":"ann","source":{{"type":"S3"}}}}"#);
        let record = find(&both).unwrap().unwrap();
        assert_eq!(record.arn(), ARN);
        assert_eq!(record.text("initiator").as_deref(), Some("ann"));
        assert_eq!((record.text("source.location"), record.started()), (None, None));
        assert!(!record.is_running(), "nothing said is not yes");
    }

    #[test]
    fn what_is_no_record_is_an_error_and_not_none() {
        for answer in [
            "",
            "{}",
            "[]",
            "<html>",
            r#"{"builds":null}"#,
            r#"{"builds":[{}]}"#,
        ] {
            assert!(BuildRecord::find(answer.as_bytes(), ARN).is_err(), "{answer}");
        }
        for member in [
            r#""initiator":7"#,
            r#""startTime":"now""#,
            r#""startTime":-1"#,
            r#""startTime":1e99"#,
            r#""environment":{"image":[]}"#,
        ] {
            assert!(
                find(&format!(r#"{{"arn":"{ARN}",{member}}}"#)).is_err(),
                "{member}"
            );
        }
    }

    #[test]
    fn times_are_read_in_every_form_of_a_number() {
        for time in ["1785578400", "1785578400.9", "1.7855784009E9"] {
            let record = find(&format!(r#"{{"arn":"{ARN}","startTime":{time}}}"#));
            let started = record.unwrap().unwrap().started();
            assert_eq!(started, Some(Timestamp::from_unix(1_785_578_400)), "{time}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in any::<String>()) {
            let _ = BuildRecord::find(answer.as_bytes(), ARN);
        }
    }
}
