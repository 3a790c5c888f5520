//! Keeps whatever is told, of every target and level, as text; records of the crate `log` too.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) message: String,
    pub(crate) fields: BTreeMap<&'static str, String>,
}

impl Told {
    /// A field's text; empty without such a field.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Of which shard it tells.
    pub(crate) fn shard(&self) -> Option<u32> {
        self.field("shard").parse().ok()
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.message, "{value:?}").unwrap(),
            name => drop(self.fields.insert(name, format!("{value:?}"))),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

static EVENTS: Mutex<Vec<Told>> = Mutex::new(Vec::new());
/// What spans and the crate `log` said.
static REST: Mutex<String> = Mutex::new(String::new());
static TURN: Mutex<()> = Mutex::new(());

/// A test's turn with the process's subscriber. What is told lasts from its beginning to its end.
pub(crate) struct Watch(#[allow(dead_code)] MutexGuard<'static, ()>);

impl Watch {
    /// Waits for the turn.
    pub(crate) fn begin() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing::subscriber::set_global_default(Registry::default().with(Collector)).unwrap();
            log::set_logger(&Collector).unwrap();
            log::set_max_level(log::LevelFilter::Trace);
        });
        // A test that failed has nothing that the next could find half done.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        lock(&EVENTS).clear();
        lock(&REST).clear();
        Self(turn)
    }

    /// What was told so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        lock(&EVENTS).clone()
    }

    /// All of it as text.
    pub(crate) fn text(&self) -> String {
        format!("{:#?}\n{}", lock(&EVENTS), lock(&REST))
    }

    /// What was told with this message, in order.
    pub(crate) fn of(&self, message: &str) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.message == message).collect()
    }

    /// Waits for an event that is like this, and gives it.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_it: impl Fn(&Told) -> bool) -> Told {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(told) = self.told().into_iter().find(&is_it) {
                return told;
            }
            assert!(Instant::now() < end, "{what} was never told of:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Collector;

impl<S: Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut told = Told {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            message: String::new(),
            fields: BTreeMap::new(),
        };
        event.record(&mut told);
        lock(&EVENTS).push(told);
    }

    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        writeln!(lock(&REST), "{span:?}").unwrap();
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        writeln!(lock(&REST), "{values:?}").unwrap();
    }
}

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let (level, target, text) = (record.level(), record.target(), record.args());
        writeln!(lock(&REST), "{level} {target} {text}").unwrap();
    }

    fn flush(&self) {}
}
