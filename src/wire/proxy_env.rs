//! Which proxy the environment names for a URL: `https_proxy`, `http_proxy`, `all_proxy` and
//! `no_proxy`, as most programs read them.
//!
//! Pure: the environment is an argument. Whoever connects asks it once for each address.
//!
//! Invariant: an address of this machine is never reached by a proxy of the environment.

use core::net::IpAddr;

use super::proxy::{Proxy, ProxyError};
use super::url::GatewayUrl;

/// The proxy that the environment names for a gateway, if any: for `wss://` the first of
/// `https_proxy`, `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY` that is not empty; for `ws://` the
/// same with `http_proxy`, which counts in lower case only (a CGI program's `HTTP_PROXY` is the
/// `Proxy` header of whoever asks it).
///
/// `no_proxy` or `NO_PROXY` excepts hosts: a list with commas of names (which except the names
/// below them too; with a leading dot only those), IP addresses and ranges (`10.0.0.0/8`), each
/// with a port if only that is meant (`host:443`), or `*` for all. `localhost` and loopback
/// addresses are always excepted, as Go has it.
///
/// # Errors
/// [`ProxyError`] of the variable that would have been used.
pub fn proxy_for(
    url: &GatewayUrl,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, ProxyError> {
    proxy_for_host(url.is_secure(), url.host(), url.port(), env)
}

/// The same for a host and port, spoken to by TLS or not: for HTTP.
///
/// # Errors
/// As [`proxy_for`].
pub fn proxy_for_host(
    is_secure: bool,
    host: &str,
    port: u16,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, ProxyError> {
    let first = |names: &[&str]| {
        names.iter().find_map(|name| env(name).filter(|value| !value.trim().is_empty()))
    };
    let names: &[&str] = match is_secure {
        true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    let Some(proxy) = first(names) else { return Ok(None) };
    let host = host.to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    let exceptions = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    if is_local(host) || exceptions.split(',').any(|entry| excepts(entry.trim(), host, port)) {
        return Ok(None);
    }
    Proxy::parse(proxy.trim()).map(Some)
}

fn is_local(host: &str) -> bool {
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    address.map_or(host == "localhost" || host.ends_with(".localhost"), |a| a.is_loopback())
}

/// Whether one entry of the list excepts a host, which is in lower case.
fn excepts(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let (pattern, only_port) = split_port(entry);
    if only_port.is_some_and(|only| only.parse() != Ok(port)) {
        return false;
    }
    let pattern = pattern.to_ascii_lowercase();
    if let Ok(address) = host.parse::<IpAddr>() {
        return excepts_address(&pattern, address.to_canonical());
    }
    // `*.example.com` and `.example.com` except what is below the name, `example.com` itself too.
    let (name, is_below_only) = match pattern.trim_start_matches('*').strip_prefix('.') {
        Some(name) => (name, true),
        None => (pattern.as_str(), false),
    };
    let name = name.trim_end_matches('.');
    if name.is_empty() {
        return false;
    }
    match host.strip_suffix(name) {
        Some("") => !is_below_only,
        Some(below) => below.ends_with('.'),
        None => false,
    }
}

fn excepts_address(pattern: &str, address: IpAddr) -> bool {
    let Some((network, bits)) = pattern.split_once('/') else {
        return pattern.parse::<IpAddr>().is_ok_and(|pattern| pattern.to_canonical() == address);
    };
    match (network.parse::<IpAddr>(), bits.parse::<u32>(), address) {
        (Ok(IpAddr::V4(network)), Ok(bits @ 0..=32), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (Ok(IpAddr::V6(network)), Ok(bits @ 0..=128), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

/// Parts `host:port`; an IPv6 address has its port behind brackets.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((address, after)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, after.strip_prefix(':'));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}
