//! Outages and cuts: what can befall a whole gateway, as plain data with its JSON form. The loop
//! brings them about (`hosts`), by a handle's order or at a moment of the configuration.

use serde::{Deserialize, Serialize};

/// The two addresses that a gateway may listen on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// Where `url()` points, with HTTP.
    #[default]
    Main,
    /// Where `resume_url()` points, if the configuration has [`crate::ResumeUrl::Host`].
    Resume,
}

/// How a host is out of order. Connections that are open stay open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// It is not: all is well.
    #[default]
    None,
    /// Nobody listens: connecting is refused.
    Refuse,
    /// It accepts and answers every request by 503.
    Unavailable,
    /// It accepts and never says a word, not even in TLS.
    BlackHole,
}

/// How connections are cut: no close frame, no close_notify, not even the end of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// TCP RST.
    #[default]
    Reset,
    /// TCP FIN.
    Fin,
}

/// Something that befalls the gateway at a moment. In JSON:
///
/// ```
/// use replay_gateway::{Cut, Incident, IncidentAction, Moment};
/// let text = r#"{"at": {"ready_ms": 5000}, "do": {"cut": {"shards": [0, 799], "how": "fin"}}}"#;
/// let incident: Incident = serde_json::from_str(text)?;
/// assert_eq!(incident.at, Moment::ReadyMs(5_000));
/// assert_eq!(incident.action, IncidentAction::Cut { shards: Some((0, 799)), how: Cut::Fin });
/// let text = r#"{"at": {"start_ms": 0}, "do": {"outage": {"host": "resume", "is": "refuse"}}}"#;
/// let _: Incident = serde_json::from_str(text)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// When.
    pub at: Moment,
    /// What.
    #[serde(rename = "do")]
    pub action: IncidentAction,
}

/// A moment in the life of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// So many ms after its start.
    StartMs(u64),
    /// So many ms after as many sessions as `recommended_shards` have had their READY and guilds.
    ReadyMs(u64),
}

/// What an incident is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum IncidentAction {
    /// Connections are cut, all at once.
    Cut {
        /// The first and the last shard; absent: all connections, with or without a shard.
        #[serde(default)]
        shards: Option<(u32, u32)>,
        /// How.
        #[serde(default)]
        how: Cut,
    },
    /// A host fails, or is there again.
    Outage {
        /// Which.
        #[serde(default)]
        host: Host,
        /// How.
        is: Outage,
    },
}
