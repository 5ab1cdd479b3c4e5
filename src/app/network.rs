//! What the environment says of the network around.

use std::path::Path;

use crate::base::failure::Cause;
use crate::edge::ci::{Environment, read_named};
use crate::edge::net::Network;

/// The variables that name files of certificate roots.
pub(super) const ROOTS: [&str; 2] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"];

/// Roots and proxies; the upper-case names win.
pub(super) fn network(environment: &Environment) -> Result<Network, Cause> {
    let files = ROOTS.into_iter().filter_map(|name| environment.get(name));
    let roots = files.map(|file| read_named(Path::new(file)).map(|bytes| bytes.to_vec()));
    let either = |upper, lower| {
        let value = environment.get(upper).or_else(|| environment.get(lower));
        value.map(str::to_owned)
    };
    Ok(Network {
        roots: roots
            .collect::<Result<_, _>>()
            .map_err(|error| Cause::of(&error))?,
        https_proxy: either("HTTPS_PROXY", "https_proxy"),
        http_proxy: either("HTTP_PROXY", "http_proxy"),
        no_proxy: either("NO_PROXY", "no_proxy"),
    })
}
