//! The user's end of a member request: [`MemberChunks`], and what a handler can ask for.
//!
//! The protocol of it is `shard::errands`; here is the bounded queue between a core and whoever
//! reads the chunks. Made by [`Context`] and by `Handle`.

use std::task::Poll;
use std::time::Duration;

use crate::error::Error;
use crate::feed::{Elapsed, Feed, WhenFull, feed};
use crate::shard::errands::Outlet;
use crate::shard::errands::members::{
    CollectMembers, MembersChunk, MembersEnd, MembersEndCause, MembersNews,
};
use crate::shard::handler::Context;

/// The answer to a member request, chunk by chunk.
///
/// It comes from [`Handle::collect_members`](crate::Handle::collect_members) and
/// [`Context::collect_members`], may be on any thread, and is awaited on any executor; or waited
/// for, but never on a core's thread.
///
/// ```no_run
/// use shardring::MembersNews;
/// use shardring::command::RequestGuildMembers;
/// # async fn run(handle: shardring::Handle) -> Result<(), shardring::Error> {
/// let request = RequestGuildMembers::all(41771983423143937u64);
/// let mut chunks = handle.collect_members(request).await?;
/// while let Some(news) = chunks.next().await {
///     match news {
///         MembersNews::Chunk(chunk) => {
///             println!("{} of {}", chunk.chunk_index + 1, chunk.chunk_count);
///             chunk.visit(|chunk| chunk.members.iter().for_each(|member| drop(member.nick)));
///         }
///         MembersNews::RateLimited { retry_after } => println!("in {retry_after:?}"),
///         MembersNews::Ended(end) if !end.is_complete() => println!("{end}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// A chunk is kept as an [`OwnedEvent`](crate::OwnedEvent): one allocation of up to some 400 KB.
/// At most [`CollectMembers::waiting_max`] of them wait; who reads too slowly for that loses the
/// rest ([`MembersEndCause::Overrun`]): the shard is not held up, since its other guilds would be.
/// Dropping it cancels: what still comes is not kept. A handler with an interest in
/// GUILD_MEMBERS_CHUNK sees the chunks too, without a copy.
#[derive(Debug)]
#[must_use = "dropping it cancels the collection"]
pub struct MemberChunks {
    feed: Feed<MembersNews>,
    received: u32,
    chunk_count: Option<u32>,
    has_ended: bool,
}

impl MemberChunks {
    /// A collection's reader, and where it is fed.
    pub(crate) fn new(waiting_max: usize) -> (Box<dyn Outlet<MembersNews>>, Self) {
        let (feeder, feed) = feed(waiting_max.max(1), WhenFull::Refuse);
        (Box::new(feeder), Self { feed, received: 0, chunk_count: None, has_ended: false })
    }

    /// How many chunks were read, of how many; the latter is known with the first.
    pub fn progress(&self) -> (u32, Option<u32>) {
        (self.received, self.chunk_count)
    }

    /// The next news; `None` after [`MembersNews::Ended`]. Nothing is lost if the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<MembersNews> {
        let news = self.feed.next().await;
        self.pass(news)
    }

    /// [`next`](Self::next) for those who write futures themselves.
    pub fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Option<MembersNews>> {
        self.feed.poll_next(cx).map(|news| self.pass(news))
    }

    /// [`next`](Self::next), blocking this thread; never on a core's.
    pub fn next_wait(&mut self) -> Option<MembersNews> {
        let news = self.feed.next_wait();
        self.pass(news)
    }

    /// [`next_wait`](Self::next_wait) for at most so long.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if nothing came in time; it may be asked again.
    pub fn next_wait_timeout(&mut self, at_most: Duration) -> Result<Option<MembersNews>, Elapsed> {
        let news = self.feed.next_wait_timeout(at_most)?;
        Ok(self.pass(news))
    }

    /// All chunks, if there are no more than `chunks_max`. They come as they came: order them by
    /// [`chunk_index`](MembersChunk::chunk_index) where that matters.
    ///
    /// # Errors
    ///
    /// The [`MembersEnd`] of a collection that did not become complete; and with
    /// [`MembersEndCause::Overrun`] as soon as there are more chunks than `chunks_max`.
    pub async fn all(mut self, chunks_max: u32) -> Result<Vec<MembersChunk>, MembersEnd> {
        let mut all = Gather::new(chunks_max);
        loop {
            if let Some(end) = all.take(self.next().await) {
                return all.finish(end);
            }
        }
    }

    /// [`all`](Self::all), blocking this thread; never on a core's.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn all_wait(mut self, chunks_max: u32) -> Result<Vec<MembersChunk>, MembersEnd> {
        let mut all = Gather::new(chunks_max);
        loop {
            if let Some(end) = all.take(self.next_wait()) {
                return all.finish(end);
            }
        }
    }

    /// Counts, and sees to it that an end is told, and once.
    fn pass(&mut self, news: Option<MembersNews>) -> Option<MembersNews> {
        let news = match news {
            None if !self.has_ended => Some(MembersNews::Ended(self.stopped())),
            news => news,
        };
        match &news {
            Some(MembersNews::Chunk(chunk)) => {
                self.received += 1;
                self.chunk_count = Some(chunk.chunk_count);
            }
            Some(MembersNews::Ended(_)) => self.has_ended = true,
            _ => {}
        }
        news
    }

    fn stopped(&self) -> MembersEnd {
        MembersEnd::new(MembersEndCause::Stopped, self.received, self.chunk_count, Vec::new())
    }
}

/// Chunks on their way into a list.
struct Gather {
    chunks: Vec<MembersChunk>,
    chunks_max: u32,
}

impl Gather {
    fn new(chunks_max: u32) -> Self {
        Self { chunks: Vec::new(), chunks_max }
    }

    /// The end, if this is it.
    fn take(&mut self, news: Option<MembersNews>) -> Option<MembersEnd> {
        match news {
            Some(MembersNews::Chunk(chunk)) => {
                let (received, count) = (self.chunks.len() as u32, chunk.chunk_count);
                if count > self.chunks_max {
                    let cause = MembersEndCause::Overrun;
                    return Some(MembersEnd::new(cause, received, Some(count), Vec::new()));
                }
                self.chunks.push(chunk);
                None
            }
            Some(MembersNews::RateLimited { .. }) => None,
            Some(MembersNews::Ended(end)) => Some(end),
            None => Some(MembersEnd::new(MembersEndCause::Stopped, 0, None, Vec::new())),
        }
    }

    fn finish(self, end: MembersEnd) -> Result<Vec<MembersChunk>, MembersEnd> {
        if end.is_complete() { Ok(self.chunks) } else { Err(end) }
    }
}

impl Context<'_> {
    /// Asks for members of a guild of this shard. What comes of it is read elsewhere: by
    /// [`spawn`](Self::spawn)ing a future that awaits [`MemberChunks::next`], or on another thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Command`](crate::ErrorKind::Command) if the request is not valid, its nonce is
    /// in use, or an intent is missing (GUILD_MEMBERS for all members, GUILD_PRESENCES for
    /// presences), [`ErrorKind::NoSuchShard`](crate::ErrorKind::NoSuchShard) if the guild is on
    /// another shard, [`ErrorKind::Full`](crate::ErrorKind::Full) if
    /// [`COLLECTIONS_MAX`](crate::COLLECTIONS_MAX) are under way on this
    /// shard, [`ErrorKind::Stopped`](crate::ErrorKind::Stopped). Nothing was sent then.
    pub fn collect_members(
        &mut self,
        collect: impl Into<CollectMembers>,
    ) -> Result<MemberChunks, Error> {
        let collect = collect.into();
        let (outlet, chunks) = MemberChunks::new(collect.waiting_max);
        self.session.collect_members(self.now, collect, outlet)?;
        Ok(chunks)
    }
}
