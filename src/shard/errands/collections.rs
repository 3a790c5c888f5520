//! The chunks of member requests, by their nonces.
//!
//! protocol.md §11: op 8, then GUILD_MEMBERS_CHUNK dispatches that bear its nonce, or RATE_LIMITED.
//! It keeps no member: a chunk goes straight to its reader, and only its number is remembered.
//! Invariant: a chunk is told once; each collection ends once, with a [`MembersEnd`]. A part of
//! `errands`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::members::{
    CHUNK_COUNT_MAX, COLLECTIONS_MAX, CollectMembers, MISSING_LEN_MAX, MembersChunk, MembersEnd,
    MembersEndCause, MembersNews, RETRY_AFTER_MAX,
};
use super::{ErrandError, Out, Outlet, Patience, Posted, Taken};
use crate::clock::Time;
use crate::command::{Command, RequestGuildMembers};
use crate::model::{Event, GuildMembersChunk, RateLimited, RateLimitedMeta};

/// The collections of one shard.
#[derive(Debug, Default)]
pub(super) struct Collections {
    by_nonce: BTreeMap<String, Collection>,
}

struct Collection {
    request: RequestGuildMembers,
    patience: Patience,
    posted: Posted,
    chunk_count: Option<u32>,
    seen: Seen,
    outlet: Box<dyn Outlet<MembersNews>>,
}

/// Which chunks came.
#[derive(Debug, Default)]
struct Seen {
    /// A bit a chunk.
    words: Vec<u64>,
    len: u32,
}

impl Collections {
    pub(super) fn is_empty(&self) -> bool {
        self.by_nonce.is_empty()
    }

    /// The request bears a nonce.
    pub(super) fn begin(
        &mut self,
        collect: CollectMembers,
        patience: Patience,
        outlet: Box<dyn Outlet<MembersNews>>,
        out: &mut Out,
    ) -> Result<(), ErrandError> {
        let request = collect.request;
        Command::from(request.clone()).encode().map_err(ErrandError::Command)?;
        let nonce = request.nonce.clone().unwrap_or_default();
        if self.by_nonce.contains_key(&nonce) {
            return Err(ErrandError::NonceInUse);
        }
        if self.by_nonce.len() >= COLLECTIONS_MAX {
            return Err(ErrandError::TooMany { len_max: COLLECTIONS_MAX });
        }
        let mut collection = Collection {
            request,
            patience,
            posted: Posted::default(),
            chunk_count: None,
            seen: Seen::default(),
            outlet,
        };
        collection.send(out);
        self.by_nonce.insert(nonce, collection);
        Ok(())
    }

    /// GUILD_MEMBERS_CHUNK, maybe of a collection.
    pub(super) fn chunk(&mut self, now: Time, event: &Event<'_>, chunk: &GuildMembersChunk<'_>) {
        let Some(nonce) = chunk.nonce else { return };
        let Some(collection) = self.by_nonce.get_mut(nonce) else { return };
        if collection.request.guild_id != chunk.guild_id {
            return;
        }
        match collection.take(now, event, chunk) {
            Ok(()) => {}
            Err(Some(cause)) => self.end(nonce, cause),
            Err(None) => drop(self.by_nonce.remove(nonce)),
        }
    }

    /// RATE_LIMITED, maybe of a collection. Without a nonce it is told to all of its guild that
    /// have no answer yet.
    pub(super) fn rate_limited(&mut self, now: Time, limited: &RateLimited<'_>) {
        let RateLimitedMeta::RequestGuildMembers(meta) = limited.meta else { return };
        let retry_after = limited.retry_after().min(RETRY_AFTER_MAX);
        self.by_nonce.retain(|nonce, collection| {
            let is_meant = match meta.nonce {
                Some(meant) => meant == nonce,
                None => collection.chunk_count.is_none(),
            };
            if !is_meant || collection.request.guild_id != meta.guild_id {
                return true;
            }
            collection.patience.renew(now, retry_after);
            collection.outlet.give(MembersNews::RateLimited { retry_after }) != Taken::Gone
        });
    }

    pub(super) fn session_began(&mut self, out: &mut Out) {
        let is_lost = |collection: &mut Collection| {
            !collection.posted.is_waiting() && !collection.posted.is_unknown()
        };
        self.end_all(is_lost, |_| MembersEndCause::SessionLost);
        self.send_unknown(out);
    }

    pub(super) fn session_resumed(&mut self, out: &mut Out) {
        self.send_unknown(out);
    }

    /// Sends again what may have got lost with the connection. If it had not, chunks that come
    /// twice are told once.
    fn send_unknown(&mut self, out: &mut Out) {
        for collection in self.by_nonce.values_mut() {
            if collection.posted.is_unknown() && collection.chunk_count.is_none() {
                collection.send(out);
            }
        }
    }

    pub(super) fn expire(&mut self, now: Time, unread: Duration) {
        self.end_all(
            |collection| collection.patience.is_over(now, unread),
            |collection| MembersEndCause::TimedOut { was_sent: !collection.posted.is_waiting() },
        );
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.by_nonce.values().map(|collection| collection.patience.deadline).min()
    }

    /// Ends those whose command was dropped.
    pub(super) fn end_dropped(&mut self) {
        self.end_all(|collection| collection.posted.is_dropped(), |_| MembersEndCause::NotSent);
    }

    pub(super) fn retire(&mut self) {
        self.end_all(|_| true, |_| MembersEndCause::Stopped);
    }

    fn end_all(
        &mut self,
        mut which: impl FnMut(&mut Collection) -> bool,
        cause: impl Fn(&Collection) -> MembersEndCause,
    ) {
        while let Some((nonce, collection)) =
            self.by_nonce.iter_mut().find_map(|(nonce, of)| which(of).then_some((nonce, of)))
        {
            let (nonce, cause) = (nonce.clone(), cause(collection));
            self.end(&nonce, cause);
        }
    }

    fn end(&mut self, nonce: &str, cause: MembersEndCause) {
        let Some(collection) = self.by_nonce.remove(nonce) else { return };
        let chunk_count = collection.chunk_count;
        let missing = collection.seen.missing(chunk_count.unwrap_or(0));
        let end = MembersEnd::new(cause, collection.seen.len, chunk_count, missing);
        collection.outlet.end(MembersNews::Ended(end));
    }
}

impl Collection {
    fn send(&mut self, out: &mut Out) {
        out.push(self.request.clone(), &mut self.posted);
    }

    /// `Err`: it is over, and with a cause there is somebody to be told.
    fn take(
        &mut self,
        now: Time,
        event: &Event<'_>,
        chunk: &GuildMembersChunk<'_>,
    ) -> Result<(), Option<MembersEndCause>> {
        self.patience.renew(now, Duration::ZERO);
        if chunk.chunk_index >= CHUNK_COUNT_MAX || !self.seen.insert(chunk.chunk_index) {
            return Ok(());
        }
        let chunk_count = chunk.chunk_count.clamp(1, CHUNK_COUNT_MAX);
        self.chunk_count = Some(chunk_count);
        match self.outlet.has_room() {
            Taken::Yes => {}
            Taken::Full => {
                self.seen.remove(chunk.chunk_index);
                return Err(Some(MembersEndCause::Overrun));
            }
            Taken::Gone => return Err(None),
        }
        self.outlet.give(MembersNews::Chunk(MembersChunk::new(event, chunk)));
        match self.seen.len >= chunk_count {
            true => Err(Some(MembersEndCause::Complete)),
            false => Ok(()),
        }
    }
}

impl Seen {
    /// Whether it is new.
    fn insert(&mut self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, 1 << (index % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += u32::from(is_new);
        is_new
    }

    fn remove(&mut self, index: u32) {
        self.words[index as usize / 64] &= !(1 << (index % 64));
        self.len -= 1;
    }

    fn has(&self, index: u32) -> bool {
        self.words.get(index as usize / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    fn missing(&self, count: u32) -> Vec<u32> {
        (0..count).filter(|index| !self.has(*index)).take(MISSING_LEN_MAX).collect()
    }
}

impl fmt::Debug for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection")
            .field("guild_id", &self.request.guild_id)
            .field("received", &self.seen.len)
            .field("chunk_count", &self.chunk_count)
            .finish_non_exhaustive()
    }
}
