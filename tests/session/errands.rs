//! A shard up, that is told dispatches with a content, and the outlets of its errands: what the
//! tests of `voice` and `members` share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use shardring::decode::{PADDING, Scratch};
use shardring::shard::errands::{Outlet, Taken};
use shardring::shard::identify::LocalGate;
use shardring::shard::notice::{Sent, State};
use shardring::{Event, EventKind};

use crate::world::{Act, Script, World, ms, op, settings};

/// The bot.
pub(crate) const BOT: u64 = 77;
/// A guild of shard 0.
pub(crate) const GUILD: u64 = 5;

/// Everything that was told, and switches for its reader.
pub(crate) struct Told<T> {
    news: Arc<Mutex<Vec<T>>>,
    room: Arc<AtomicUsize>,
    is_gone: Arc<AtomicBool>,
}

struct Pipe<T>(Told<T>);

impl<T> Clone for Told<T> {
    fn clone(&self) -> Self {
        let Self { news, room, is_gone } = self;
        Self { news: Arc::clone(news), room: Arc::clone(room), is_gone: Arc::clone(is_gone) }
    }
}

impl<T: Send + 'static> Told<T> {
    pub(crate) fn new() -> (Box<dyn Outlet<T>>, Self) {
        let told = Self {
            news: Arc::default(),
            room: Arc::new(AtomicUsize::new(usize::MAX)),
            is_gone: Arc::default(),
        };
        (Box::new(Pipe(told.clone())), told)
    }

    /// What came since the last time.
    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.news.lock().unwrap())
    }

    /// The only thing that came since the last time.
    #[track_caller]
    pub(crate) fn only(&self) -> T {
        let mut news = self.take();
        assert_eq!(news.len(), 1, "one piece of news");
        news.remove(0)
    }

    /// From now on only so many are taken.
    pub(crate) fn narrow(&self, room: usize) {
        self.room.store(room, Ordering::Relaxed);
    }

    /// Nobody listens any more.
    pub(crate) fn leave(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
    }
}

impl<T: Send> Outlet<T> for Pipe<T> {
    fn give(&mut self, news: T) -> Taken {
        let taken = self.has_room();
        if taken == Taken::Yes {
            self.0.news.lock().unwrap().push(news);
        }
        taken
    }

    fn has_room(&self) -> Taken {
        if self.0.is_gone.load(Ordering::Relaxed) {
            Taken::Gone
        } else if self.0.news.lock().unwrap().len() >= self.0.room.load(Ordering::Relaxed) {
            Taken::Full
        } else {
            Taken::Yes
        }
    }

    fn end(self: Box<Self>, news: T) {
        self.0.news.lock().unwrap().push(news);
    }
}

/// One shard with these intents, up.
pub(crate) fn up(intents: u64) -> World<Script> {
    let mut settings = settings();
    settings.intents = intents;
    let mut world = World::with_settings(1, LocalGate::new(1), 1, Script::default(), settings);
    world.input(0, |session, _| session.learn_user(Some(BOT)));
    world.start();
    world.run(ms(1000));
    assert_eq!(world.state(0), State::Active);
    world.forget();
    world
}

/// A dispatch comes, with the next number; gives whether the session wanted to see it.
pub(crate) fn say(world: &mut World<Script>, kind: EventKind, d: &str) -> bool {
    let mut watched = false;
    world.input(0, |session, now| {
        let s = session.sequence().unwrap_or(0) + 1;
        session.dispatch(now, Some(s));
        let text = format!(r#"{{"t":"{}","s":{s},"op":0,"d":{d}}}"#, kind.name()).into_bytes();
        let mut payload = text.clone();
        payload.resize(text.len() + PADDING, 0);
        watched = session.watches(kind, &text);
        if watched {
            let mut scratch = Scratch::new();
            let read = scratch.read(&mut payload, text.len(), |root| {
                session.observe(now, &Event::decode(kind, root.name(), root.data()));
            });
            read.expect("the test writes JSON");
        }
    });
    watched
}

/// The commands with this opcode that were sent, and are forgotten.
pub(crate) fn sent(world: &mut World<Script>, opcode: u64) -> Vec<String> {
    let sent = world.sent(0, Sent::Command).into_iter().map(|(_, text)| text.to_owned()).collect();
    world.forget();
    let sent: Vec<String> = sent;
    sent.into_iter().filter(|text| op(text) == opcode).collect()
}

/// The connection ends, and the session is resumed.
pub(crate) fn reconnect(world: &mut World<Script>) {
    let sessions = world.peer.sessions;
    world.act(0, Act::Op7);
    world.run(ms(20_000));
    assert_eq!((world.state(0), world.peer.sessions), (State::Active, sessions));
}

/// The session is lost, and a new one is up.
pub(crate) fn new_session(world: &mut World<Script>) {
    let sessions = world.peer.sessions;
    world.act(0, Act::Op9(false));
    world.run(ms(60_000));
    assert_eq!((world.state(0), world.peer.sessions), (State::Active, sessions + 1));
}
