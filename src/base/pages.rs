//! Where the documentation of this version is read.

/// The address of a page of the repository, at this version of countersign.
///
/// ```
/// use countersign::base::pages::address;
/// assert!(address("docs/guides/aws.md").starts_with("https://github.com/countersign/countersign/blob/v"));
/// assert!(address("docs/guides/aws.md").ends_with("/docs/guides/aws.md"));
/// ```
pub fn address(page: &str) -> String {
    format!(
        "{}/blob/v{}/{page}",
        env!("CARGO_PKG_REPOSITORY"),
        env!("CARGO_PKG_VERSION")
    )
}
