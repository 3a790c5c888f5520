//! What a job is made of before it runs: the engine's configuration, the pace, the number of events
//! to come, a folder for the ledgers; and stopping an engine within a bound.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use replay_gateway::traffic::schedule::Pace;
use shardring::{
    BudgetSettings, Config, Delivery, Engine, EventKind, Intents, Interest, Roots, Shards, Stop,
    Token,
};

use crate::http;
use crate::plan::{JobPlan, Load};
use crate::probe::Task;
use crate::report::Report;

/// A folder for the ledgers, gone with the job.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new one.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn make() -> io::Result<Self> {
        // The clock tells folders of one process apart: jobs follow each other in a scenario.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let name =
            format!("load-test-{}-{}", std::process::id(), now.map_or(0, |since| since.as_nanos()));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// A file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The engine's configuration.
///
/// # Errors
/// The library's, of a value that cannot work.
pub(crate) fn config(
    plan: &JobPlan,
    url: &str,
    ca: Option<&str>,
    task: &Task,
) -> Result<Config, shardring::Error> {
    let interest = if task.hashes {
        Interest::all(Delivery::RawAndTyped)
    } else {
        let with_text = if task.pace.is_some() { Delivery::RawAndTyped } else { Delivery::Typed };
        Interest::all(Delivery::Typed).with([EventKind::Ready], with_text)
    };
    let roots = match ca {
        Some(ca) => Roots::only_pem(ca)?,
        None => Roots::platform(),
    };
    Config::builder(Token::new(plan.token.as_str())?, Intents::ALL)
        .roots(roots)
        .interest(interest)
        .shards(Shards::all(plan.shards))
        .gateway_url(url)
        .compression(plan.compression.compression())
        .max_concurrency(plan.max_concurrency)
        .budget(BudgetSettings::unlimited())
        .cpus(plan.placement.client.iter().copied())
        .linger(plan.linger)
        .seed(plan.seed)
        .build()
}

/// The pace that both sides compute moments from.
pub(crate) fn pace(plan: &JobPlan, url: &str) -> Option<Pace> {
    match plan.load {
        Load::Paced { rate_per_s, burst, .. } => {
            Some(Pace { seed: plan.seed, rate_per_s, shards: plan.shards, burst })
        }
        Load::Foreign { .. } => {
            let info = http::traffic_info(url)?;
            let http::TrafficInfo { seed, shards, burst, .. } = info;
            Some(Pace { seed, rate_per_s: info.rate_per_s?, shards, burst })
        }
        Load::Idle { .. } | Load::FlatOut { .. } | Load::Capture { .. } => None,
    }
}

/// How many events will come, if that is known.
///
/// # Errors
/// The capture cannot be read.
pub(crate) fn expected(plan: &JobPlan) -> Result<Option<u64>, String> {
    let shards = u64::from(plan.shards);
    Ok(match &plan.load {
        Load::Idle { .. } => None,
        Load::Paced { events_per_shard, .. } => Some(events_per_shard * shards),
        Load::FlatOut { events_per_shard, .. } => events_per_shard.map(|events| events * shards),
        Load::Capture { path, .. } => Some(captured(path)? * shards),
        Load::Foreign { events, .. } => *events,
    })
}

/// How many dispatches of a capture a gateway plays.
fn captured(path: &Path) -> Result<u64, String> {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        payload: Payload<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Payload<'a> {
        #[serde(default)]
        op: u64,
        #[serde(borrow, default)]
        t: Option<std::borrow::Cow<'a, str>>,
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("--capture: {error}"))?;
    let mut count = 0;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line<'_> = serde_json::from_str(line)
            .map_err(|error| format!("--capture, line {}: {error}", number + 1))?;
        let name = line.payload.t.as_deref();
        let own = matches!(name, None | Some("READY" | "RESUMED"));
        count += u64::from(line.payload.op == 0 && !own);
    }
    Ok(count)
}

/// Stops the engine, on another thread: a stop that hangs must not hang the report.
pub(crate) fn stop_engine(engine: Engine, report: &mut Report) {
    let (sender, stopped) = channel();
    let stop = move || drop(sender.send(engine.stop(Stop::EndSessions)));
    if let Err(error) = std::thread::Builder::new().name("stop".to_owned()).spawn(stop) {
        return report.problem(format!("the engine cannot be stopped: {error}"));
    }
    match stopped.recv_timeout(STOP_PATIENCE) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => report.problem(format!("the engine, as it stopped: {error}")),
        Err(_) => report.problem("the engine does not stop"),
    }
}

/// For the engine to stop: twice its own limit and some.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
