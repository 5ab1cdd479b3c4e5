//! What a plain terminal offers: a user with directories, and a width.

use std::path::PathBuf;

use super::Environment;

/// Where countersign keeps what it made for this user, or none without a home directory.
///
/// Source: XDG Base Directory Specification, `XDG_STATE_HOME`; a relative path there is ignored, as it says.
pub fn state_directory(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name| {
        environment
            .get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("countersign"))
}

/// Notation's configuration directory: `NOTATION_CONFIG`, else `notation` in `XDG_CONFIG_HOME`, else in `~/.config`
/// (Notation, "Notation Directory Structure"); none where the environment names none of them by an absolute path.
pub fn notation_directory(environment: &Environment) -> Option<PathBuf> {
    let named = |name| environment.get(name).map(PathBuf::from);
    let absolute = |name| named(name).filter(|path: &PathBuf| path.is_absolute());
    let given = named("NOTATION_CONFIG").filter(|path| !path.as_os_str().is_empty());
    given.or_else(|| {
        let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
        Some(config.join("notation"))
    })
}

/// Columns of the terminal; 100 where it does not say (ours).
pub(super) fn columns(environment: &Environment) -> usize {
    let columns = environment
        .get("COLUMNS")
        .and_then(|columns| columns.parse().ok());
    columns
        .filter(|columns| (20..=500).contains(columns))
        .unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_kept_where_xdg_says() {
        let state = |variables| state_directory(&Environment::of(variables));
        assert_eq!(
            state([("XDG_STATE_HOME", "/x"), ("HOME", "/h")]),
            Some("/x/countersign".into())
        );
        assert_eq!(
            state([("XDG_STATE_HOME", "x"), ("HOME", "/h")]),
            Some("/h/.local/state/countersign".into())
        );
        assert_eq!(state([("XDG_STATE_HOME", ""), ("HOME", "")]), None);
    }

    #[test]
    fn the_configuration_of_notation_is_where_notation_has_it() {
        let config = |given, xdg, home| {
            let variables = [
                ("NOTATION_CONFIG", given),
                ("XDG_CONFIG_HOME", xdg),
                ("HOME", home),
            ];
            notation_directory(&Environment::of(variables))
        };
        assert_eq!(config("here", "/x", "/h"), Some("here".into()));
        assert_eq!(config("", "/x", "/h"), Some("/x/notation".into()));
        assert_eq!(config("", "x", "/h"), Some("/h/.config/notation".into()));
        assert_eq!(config("", "x", ""), None);
    }
}
