//! Judges written in Go: programs of other projects, and a small one of ours on a library of theirs, each built from a
//! module below `tests/interop`, which pins every source that it is made of.
//!
//! Where Go is missing, or its modules cannot be had, a judge is absent, and that is said on the terminal;
//! `COUNTERSIGN_INTEROP=required` (`.ci/run`, where Go is found) makes it a failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::judges::say;

/// What was built, by module: the directory of its programs, or nothing where it could not be.
static BUILT: Mutex<BTreeMap<&'static str, Option<PathBuf>>> = Mutex::new(BTreeMap::new());

/// The programs of a module, in a directory under the last part of their package's name; built once.
pub(crate) fn programs(module: &'static str, packages: &[&str]) -> Option<PathBuf> {
    // Held while it builds: two builds at once are slower than one after the other. A judge that is required and
    // cannot be built fails each of its tests.
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = built.get(module) {
        return known.clone();
    }
    let programs = match build(module, packages) {
        Ok(directory) => Some(directory),
        Err(why) => {
            let required = std::env::var_os("COUNTERSIGN_INTEROP").is_some_and(|value| value == "required");
            assert!(!required, "{module}: {why}");
            say(&format!("NOT CHECKED: what tests/interop/{module} judges: {why}"));
            None
        }
    };
    built.insert(module, programs.clone());
    programs
}

fn build(module: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let programs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go").join(module);
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interop")
        .join(module);
    std::fs::create_dir_all(&programs).map_err(|error| error.to_string())?;
    let mut go = Command::new("go");
    // A directory is what ends in a slash.
    go.args(["build", "-o"]).arg(programs.join(""));
    match go.args(packages).current_dir(source).output() {
        Ok(output) if output.status.success() => Ok(programs),
        Ok(output) => Err(format!(
            "go build failed: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => Err(format!("Go is not installed ({error})")),
    }
}
