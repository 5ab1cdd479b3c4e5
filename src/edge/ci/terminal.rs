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
}
