//! [`Common`]: what all shards of an engine share, and how it follows from the configuration.
//!
//! Values and handles; nothing runs here. Made once, by the engine or by a rehearsal.

use std::sync::Arc;

use crate::config::{Config, Interest};
use crate::error::{Error, ErrorKind};
use crate::shard::session::Guards;
use crate::shard::settings::SessionSettings;
use crate::wire::{Compression, GatewayUrl, WireLimits};

/// What all shards of an engine are made with.
#[derive(Debug)]
pub struct Common {
    /// What IDENTIFY says, and time-outs.
    pub settings: Arc<SessionSettings>,
    /// What the handler wants to see.
    pub interest: Interest,
    /// What dials and IDENTIFYs pass: admission, budget, gate.
    pub guards: Guards,
    /// The gateway's cached address, with its query.
    pub main_url: GatewayUrl,
    /// How many shards Discord recommends, where that was asked.
    pub recommended_shards: Option<u32>,
    /// Transport compression.
    pub compression: Compression,
    /// Bounds of one message.
    pub limits: WireLimits,
}

impl Common {
    /// What follows from a configuration.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if no IDENTIFY can be made of it.
    pub(crate) fn of(
        config: &Config,
        recommended_shards: Option<u32>,
        guards: Guards,
    ) -> Result<Self, Error> {
        let main_url = config.gateway_url.with_query(config.compression);
        let mut settings =
            SessionSettings::new(config.token.clone(), config.intents.bits(), main_url.to_string());
        settings.large_threshold = config.large_threshold;
        settings.presence = config.presence.clone();
        settings.outbox_len_max = config.limits.outbox_len_max;
        let timeouts = &config.timeouts;
        settings.dial_wait = timeouts.dial;
        settings.hello_wait = timeouts.hello;
        settings.stalled_after = timeouts.stalled;
        settings.resume_wait = timeouts.resume;
        settings.close_wait = timeouts.close;
        settings.session_age_max = timeouts.session_age_max;
        settings.check().map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
        Ok(Self {
            settings: Arc::new(settings),
            interest: config.interest.clone(),
            guards,
            main_url,
            recommended_shards,
            compression: config.compression,
            limits: config.limits.wire,
        })
    }
}
