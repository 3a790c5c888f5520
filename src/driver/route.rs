//! What lies between this machine and a gateway: a proxy, TLS, both, or nothing.
//!
//! Made once at the engine's start (the environment is looked at, and the roots are read where TLS
//! is spoken) and shared by all cores, so that a TLS session begun on one is resumed on another. It
//! opens no socket.

use crate::config::{Config, ProxyChoice};
use crate::error::{Error, ErrorKind};
use crate::wire::{Channel, GatewayUrl, Proxy, Tunnel, WireError, proxy_for};
#[cfg(feature = "tls")]
use crate::wire::{TlsClient, TlsVersions};

/// How gateways are reached.
#[derive(Debug)]
pub(crate) struct Route {
    proxy: ProxyChoice,
    environment: Vec<(String, String)>,
    #[cfg(feature = "tls")]
    tls: Option<TlsClient>,
}

impl Route {
    /// Reads the environment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where the environment names a proxy that cannot be used.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let environment = match config.proxy {
            ProxyChoice::Environment => VARIABLES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
                .collect(),
            ProxyChoice::None | ProxyChoice::Given(_) => Vec::new(),
        };
        let route = Self {
            proxy: config.proxy.clone(),
            environment,
            #[cfg(feature = "tls")]
            tls: None,
        };
        route.find_proxy(&config.gateway_url)?;
        Ok(route)
    }

    /// Makes ready for the gateway's address, once that is known: all that are dialled after it are
    /// as secure as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Tls`] where there is no root to believe in.
    pub(crate) fn prepare(&mut self, config: &Config) -> Result<(), Error> {
        #[cfg(feature = "tls")]
        if config.gateway_url.is_secure() {
            let roots = config.roots.load()?;
            let tickets_max = TICKETS_A_DIAL * config.limits.dials_max as usize;
            let client = TlsClient::new(roots, TlsVersions::default(), tickets_max)
                .map_err(|error| Error::new(ErrorKind::Tls, error.to_string()))?;
            self.tls = Some(client);
        }
        self.find_proxy(&config.gateway_url)?;
        Ok(())
    }

    /// The proxy on the way to this address.
    pub(crate) fn proxy_for(&self, url: &GatewayUrl) -> Option<Proxy> {
        // What the environment says was found good at the start.
        self.find_proxy(url).ok().flatten()
    }

    fn find_proxy(&self, url: &GatewayUrl) -> Result<Option<Proxy>, Error> {
        match &self.proxy {
            ProxyChoice::None => Ok(None),
            ProxyChoice::Given(proxy) => Ok(Some(proxy.clone())),
            ProxyChoice::Environment => {
                let variable = |name: &str| {
                    let found = self.environment.iter().find(|(known, _)| known == name);
                    found.map(|(_, value)| value.clone())
                };
                proxy_for(url, variable).map_err(|error| {
                    Error::new(ErrorKind::Config, format!("the environment's proxy: {error}"))
                })
            }
        }
    }

    /// What the bytes of a new connection pass.
    ///
    /// # Errors
    ///
    /// The host's name cannot stand in a certificate, or is too long for the proxy.
    pub(crate) fn channel(
        &self,
        url: &GatewayUrl,
        proxy: Option<&Proxy>,
    ) -> Result<Channel, WireError> {
        let tunnel = match proxy {
            Some(proxy) => {
                let tunnel = Tunnel::new(proxy, url.host(), url.port());
                Some(tunnel.map_err(|_| WireError::ProxyMalformed)?)
            }
            None => None,
        };
        #[cfg(feature = "tls")]
        let tls = match (&self.tls, url.is_secure()) {
            (_, false) => None,
            (Some(client), true) => Some((client.clone(), url.host())),
            // A session only takes resume URLs that are as secure as the main one.
            (None, true) => return Err(WireError::TlsIncompatible),
        };
        #[cfg(not(feature = "tls"))]
        let tls = None;
        Channel::new(tunnel, tls)
    }
}

/// TLS tickets kept for each connection that may be in the making: each that is made brings two.
#[cfg(feature = "tls")]
const TICKETS_A_DIAL: usize = 2;

/// What may name a proxy.
const VARIABLES: [&str; 7] =
    ["https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];
