//! The one HTTP client: certificate roots, proxies, and which addresses a name may lead to.
//!
//! For: building one client that `aws` and `registry` share, and telling a public address from a private one.
//! Not for: reading the environment (the caller passes what `SSL_CERT_FILE`, `AWS_CA_BUNDLE` and the proxy variables
//! said) or following redirects (each room decides where it may be led).
//! Speaks: TLS by rustls, HTTP/1.1 and HTTP/2, RFC 6890 (special-purpose addresses).
//!
//! ```
//! use countersign::edge::net::Reach;
//! let (here, everywhere) = (Reach::of([127, 0, 0, 1].into()), Reach::of([192, 0, 2, 1].into()));
//! assert!(here.may_lead_to(here) && !everywhere.may_lead_to(here));
//! ```

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::Instant;
use url::{Host, Url};

use crate::base::failure::{Class, Classified};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the addresses of a name are remembered (ours; the shortest time to live in common use).
const REMEMBERED: Duration = Duration::from_mins(1);

/// What the caller knows of the network around.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Files of certificates in PEM that are roots besides the embedded ones and the system's.
    pub roots: Vec<Vec<u8>>,
    /// The proxy for `https:` addresses.
    pub https_proxy: Option<String>,
    /// The proxy for `http:` addresses.
    pub http_proxy: Option<String>,
    /// Hosts that are reached without a proxy, as `NO_PROXY` has them.
    pub no_proxy: Option<String>,
}

/// Why there can be no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A file of roots that holds none.
    #[error("expected certificates in PEM as additional roots, found none that can be read")]
    Roots,
    /// A proxy that is no address.
    #[error("expected the address of a proxy (http://host:port), found another form")]
    Proxy,
    /// The TLS library refused its configuration.
    #[error("could not set up TLS")]
    Client,
}

impl Classified for NetworkError {
    fn class(&self) -> Class {
        match self {
            Self::Roots | Self::Proxy => Class::Usage,
            Self::Client => Class::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Roots => Some("check the files that SSL_CERT_FILE and AWS_CA_BUNDLE name".to_owned()),
            Self::Proxy => Some("check HTTPS_PROXY and HTTP_PROXY".to_owned()),
            Self::Client => None,
        }
    }
}

/// Builds the client; all rooms share one, and with it one connection pool per host.
///
/// # Errors
/// [`NetworkError`] when a root or a proxy cannot be used.
pub fn client(network: &Network, addresses: &Addresses) -> Result<reqwest::Client, NetworkError> {
    let embedded = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|der| reqwest::Certificate::from_der(der).ok());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .no_proxy()
        .dns_resolver(Arc::new(addresses.clone()))
        .tls_certs_merge(embedded.chain(extra_roots(network)?));
    let exempt = || reqwest::NoProxy::from_string(&never_by_proxy(network.no_proxy.as_deref()));
    if let Some(address) = &network.https_proxy {
        addresses.expect_proxy(address)?;
        let proxy = reqwest::Proxy::https(address).map_err(|_| NetworkError::Proxy)?;
        builder = builder.proxy(proxy.no_proxy(exempt()));
    }
    if let Some(address) = &network.http_proxy {
        addresses.expect_proxy(address)?;
        let proxy = reqwest::Proxy::http(address).map_err(|_| NetworkError::Proxy)?;
        builder = builder.proxy(proxy.no_proxy(exempt()));
    }
    builder.build().map_err(|_| NetworkError::Client)
}

/// What no proxy is asked for: what the user exempts, and the link-local addresses at which a machine of Amazon's or a
/// container hands out its own credentials in plain text (Amazon ECS Developer Guide, "Task IAM role"; Amazon EC2 User
/// Guide, "Access instance metadata"). A proxy has no way there, and is not to see them.
fn never_by_proxy(no_proxy: Option<&str>) -> String {
    let link_local = "169.254.0.0/16,fd00:ec2::/32";
    no_proxy.map_or_else(|| link_local.to_owned(), |hosts| format!("{hosts},{link_local}"))
}

fn extra_roots(network: &Network) -> Result<Vec<reqwest::Certificate>, NetworkError> {
    let mut roots = Vec::new();
    for file in &network.roots {
        let certificates = reqwest::Certificate::from_pem_bundle(file).map_err(|_| NetworkError::Roots)?;
        if certificates.is_empty() {
            return Err(NetworkError::Roots);
        }
        roots.extend(certificates);
    }
    Ok(roots)
}

/// How near an address is: a public service must not send us to a nearer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Anywhere on the internet.
    Public,
    /// In the local network (RFC 1918, RFC 6598, RFC 4193).
    Private,
    /// On this link (RFC 3927, RFC 4291), where clouds keep their metadata services; never routed.
    Link,
    /// This machine.
    Loopback,
}

impl Reach {
    /// How near an address is. Addresses that carry another one inside (RFC 4291, 2.5.5.2; RFC 6052; RFC 3056) count
    /// as what they carry; what is not for unicast counts as this machine.
    ///
    /// ```
    /// use countersign::edge::net::Reach;
    /// assert_eq!(Reach::of("169.254.169.254".parse()?), Reach::Link);
    /// assert_eq!(Reach::of("::ffff:10.0.0.1".parse()?), Reach::Private);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        if address.is_link_local() {
            Self::Link
        } else if address.is_private() || (a == 100 && (64..128).contains(&b)) {
            Self::Private
        } else if a == 0 || a == 127 || a >= 224 {
            Self::Loopback
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        let inner =
            |high: u16, low: u16| Self::of_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
        match segments {
            [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, .., high, low] | [0x2002, high, low, ..] => {
                inner(high, low)
            }
            [0xfe80..=0xfebf, ..] => Self::Link,
            [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Self::Private,
            [0, 0, ..] | [0xff00..=0xffff, ..] => Self::Loopback,
            _ => Self::Public,
        }
    }

    /// Whether a service that is this near may send us to an address that is `other` near: to the internet always,
    /// else only to its own kind; this machine may send us anywhere.
    pub fn may_lead_to(self, other: Self) -> bool {
        other == Self::Public || other == self || self == Self::Loopback
    }
}

/// Whether a host is this machine by its very name, whatever a resolver says (RFC 6761, 6.3).
pub fn is_loopback_name(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Which addresses names lead to: the resolver of the client, and the judge of where a service may send us.
///
/// A name that the user gave may lead anywhere. Any other name, from a redirect or a token realm, leads only where
/// [`Addresses::check`] allowed, at the moment of the check and again when the connection is opened.
#[derive(Clone, Default)]
pub struct Addresses(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    named: HashSet<String>,
    /// Hosts that were judged and the nearest reach they were allowed.
    judged: HashMap<String, Reach>,
    answers: HashMap<String, (Instant, Vec<IpAddr>)>,
    has_proxy: bool,
}

/// Why a service's word is not followed to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Astray {
    /// The host is nearer than the service that sent us there.
    Nearer(Reach),
    /// The name leads nowhere.
    Unknown,
}

impl Addresses {
    /// Notes that the user named this host, without a port.
    pub fn name(&self, host: &str) {
        self.known().named.insert(host.to_ascii_lowercase());
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect_proxy(&self, address: &str) -> Result<(), NetworkError> {
        let whole = if address.contains("://") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        let url = Url::parse(&whole).map_err(|_| NetworkError::Proxy)?;
        self.name(url.host_str().ok_or(NetworkError::Proxy)?);
        self.known().has_proxy = true;
        Ok(())
    }

    /// Whether the service at `from` may send us to `to`.
    ///
    /// # Errors
    /// [`Astray`] where it may not.
    pub async fn check(&self, from: &Url, to: &Url) -> Result<(), Astray> {
        if from.host() == to.host() {
            return Ok(());
        }
        // A service with any public address counts as public, a goal with any near one as near.
        let (from, _) = self.reach(from).await?;
        let (_, reach) = self.reach(to).await?;
        if !from.may_lead_to(reach) {
            return Err(Astray::Nearer(reach));
        }
        if let Some(Host::Domain(name)) = to.host() {
            let mut known = self.known();
            let allowed = known.judged.entry(name.to_ascii_lowercase()).or_insert(reach);
            *allowed = reach.max(*allowed);
        }
        Ok(())
    }

    /// The farthest and the nearest of a host's addresses.
    async fn reach(&self, url: &Url) -> Result<(Reach, Reach), Astray> {
        let found = match url.host() {
            Some(Host::Ipv4(address)) => vec![Reach::of(address.into())],
            Some(Host::Ipv6(address)) => vec![Reach::of(address.into())],
            Some(Host::Domain(name)) if is_loopback_name(name) => vec![Reach::Loopback],
            Some(Host::Domain(name)) => match self.look_up(name).await {
                Ok(found) => found.into_iter().map(Reach::of).collect(),
                // Behind a proxy names need not resolve here; the proxy has its own rules.
                Err(_) if self.known().has_proxy => vec![Reach::Public],
                Err(_) => Vec::new(),
            },
            None => Vec::new(),
        };
        let (farthest, nearest) = (found.iter().min(), found.iter().max());
        farthest
            .zip(nearest)
            .map(|(far, near)| (*far, *near))
            .ok_or(Astray::Unknown)
    }

    async fn look_up(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        let name = name.to_ascii_lowercase();
        let fresh = |(at, _): &&(Instant, Vec<IpAddr>)| at.elapsed() < REMEMBERED;
        if let Some((_, found)) = self.known().answers.get(&name).filter(fresh) {
            return Ok(found.clone());
        }
        let answer = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((name.as_str(), 0)));
        let found: Vec<IpAddr> = answer.await??.map(|address| address.ip()).collect();
        self.known().answers.insert(name, (Instant::now(), found.clone()));
        Ok(found)
    }

    /// The addresses of a name that a connection may go to.
    async fn allowed(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        let mut found = self.look_up(name).await?;
        let known = self.known();
        let name = name.to_ascii_lowercase();
        if !known.named.contains(&name) {
            let limit = known.judged.get(&name).copied().unwrap_or(Reach::Public);
            found.retain(|address| {
                let reach = Reach::of(*address);
                reach == Reach::Public || reach == limit
            });
        }
        if found.is_empty() {
            return Err(std::io::Error::other(
                "the name leads to no address that may be used",
            ));
        }
        Ok(found)
    }
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone();
        Box::pin(async move {
            let found = addresses.allowed(name.as_str()).await?;
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str) -> Reach {
        Reach::of(address.parse().unwrap())
    }

    #[test]
    fn every_kind_of_address_is_told_apart() {
        for address in [
            "8.8.8.8",
            "52.95.110.1",
            "2600:1f18::1",
            "64:ff9b::808:808",
            "2002:808:808::",
            "172.32.0.1",
            "100.128.0.1",
        ] {
            assert_eq!(reach(address), Reach::Public, "{address}");
        }
        for address in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "fd00::1",
            "::ffff:192.168.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert_eq!(reach(address), Reach::Private, "{address}");
        }
        for address in [
            "169.254.169.254",
            "fe80::1",
            "::ffff:169.254.170.2",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert_eq!(reach(address), Reach::Link, "{address}");
        }
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::",
            "0.0.0.0",
            "::ffff:127.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            assert_eq!(reach(address), Reach::Loopback, "{address}");
        }
    }

    #[test]
    fn nobody_leads_nearer_than_they_are() {
        use Reach::{Link, Loopback, Private, Public};
        for (from, allowed) in [
            (Public, vec![Public]),
            (Private, vec![Public, Private]),
            (Link, vec![Public, Link]),
            (Loopback, vec![Public, Private, Link, Loopback]),
        ] {
            let found: Vec<Reach> = [Public, Private, Link, Loopback]
                .into_iter()
                .filter(|to| from.may_lead_to(*to))
                .collect();
            assert_eq!(found, allowed, "{from:?}");
        }
    }

    #[tokio::test]
    async fn a_public_address_may_not_send_us_home() {
        let addresses = Addresses::default();
        let check = async |from: &str, to: &str| {
            addresses
                .check(&Url::parse(from).unwrap(), &Url::parse(to).unwrap())
                .await
        };
        assert_eq!(
            check("https://8.8.8.8/", "https://127.0.0.1/").await,
            Err(Astray::Nearer(Reach::Loopback))
        );
        assert_eq!(
            check("https://8.8.8.8/", "http://169.254.169.254/latest").await,
            Err(Astray::Nearer(Reach::Link))
        );
        assert_eq!(
            check("https://8.8.8.8/", "https://localhost/").await,
            Err(Astray::Nearer(Reach::Loopback))
        );
        assert_eq!(
            check("https://8.8.8.8/", "https://[fd00::1]/").await,
            Err(Astray::Nearer(Reach::Private))
        );
        assert_eq!(check("https://8.8.8.8/", "https://9.9.9.9/").await, Ok(()));
        assert_eq!(
            check("http://127.0.0.1:5000/", "http://127.0.0.1:6000/").await,
            Ok(())
        );
    }

    #[tokio::test]
    async fn a_name_nobody_vouched_for_does_not_lead_home() {
        let addresses = Addresses::default();
        assert!(addresses.allowed("localhost").await.is_err());
        addresses.name("LOCALHOST");
        assert!(
            addresses
                .allowed("localhost")
                .await
                .unwrap()
                .iter()
                .all(IpAddr::is_loopback)
        );
    }

    #[test]
    fn a_proxy_never_sees_the_credentials_of_a_container() {
        assert_eq!(never_by_proxy(None), "169.254.0.0/16,fd00:ec2::/32");
        assert_eq!(
            never_by_proxy(Some("registry.example.com")),
            "registry.example.com,169.254.0.0/16,fd00:ec2::/32"
        );
    }

    #[test]
    fn roots_and_proxies_are_checked() {
        let build = |network: &Network| client(network, &Addresses::default()).map(|_| ());
        assert_eq!(build(&Network::default()), Ok(()));
        let roots = Network {
            roots: vec![b"no certificates here".to_vec()],
            ..Network::default()
        };
        assert_eq!(build(&roots), Err(NetworkError::Roots));
        let proxy = Network {
            https_proxy: Some("http://[".to_owned()),
            ..Network::default()
        };
        assert_eq!(build(&proxy), Err(NetworkError::Proxy));
        let proxy = Network {
            https_proxy: Some("proxy.example:3128".to_owned()),
            ..Network::default()
        };
        assert_eq!(build(&proxy), Ok(()));
    }
}
