//! The private ring of a core: multishot receives into one shared buffer ring, sends, connects.
//!
//! It knows sockets and buffers, never shards or protocols. It is the only file with `unsafe`
//! that concerns io_uring; each block rests on three invariants kept here:
//!
//! 1. **Memory given to the kernel outlives its use.** The buffer ring and its buffers are mapped
//!    once and unmapped after the io_uring instance is gone; what a connect or a send points to is
//!    kept by the caller until its completion (the contract of those two `unsafe fn`).
//! 2. **A buffer has one owner.** From its completion to [`Ring::recycle`] it is ours, before and
//!    after it is the kernel's; [`Filled`] is the proof of ownership and cannot be copied.
//! 3. **One thread.** The ring is built and used on one thread (`SINGLE_ISSUER`), and is `!Send`.
//!
//! The core calls it. Why a private ring: tokio-uring has neither multishot receives nor buffer
//! rings, and a dropped read of its loses bytes. Why sends and connects are here too: tokio-uring
//! submits only when its thread parks, so a heartbeat of its would wait for as long as one future
//! of the user keeps yielding.

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU16, Ordering, fence};
use std::time::Duration;

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use crate::driver::system;

/// How large a core's ring is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingLimits {
    /// Receive buffers, a power of two, at most 32,768.
    pub(crate) buffers: u16,
    /// Bytes of one receive buffer.
    pub(crate) buffer_len: u32,
}

/// The ring. See the file's header for its invariants.
pub(crate) struct Ring {
    // Field order is drop order: the io_uring instance goes before the memory it points to.
    uring: IoUring,
    buffers: Buffers,
    eventfd: OwnedFd,
    /// Buffers recycled since the last publication to the kernel.
    unpublished: bool,
    single_thread: PhantomData<*const ()>,
}

/// One completion, as the core sees it.
#[derive(Debug)]
pub(crate) struct Completion {
    /// What the caller gave when it submitted.
    pub(crate) user_data: u64,
    /// Bytes, zero, or a negative errno.
    pub(crate) result: i32,
    /// The buffer with the bytes received, if there is one: give it back by [`Ring::recycle`].
    pub(crate) filled: Option<Filled>,
    /// The operation goes on and will complete again.
    pub(crate) more: bool,
}

/// Proof that a receive buffer is ours.
#[derive(Debug)]
#[must_use = "a buffer that is not recycled is lost to the kernel"]
pub(crate) struct Filled {
    id: u16,
    len: u32,
}

impl Filled {
    /// Bytes received into it.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }
}

/// The memory that a connect needs until it has completed.
#[derive(Debug)]
pub(crate) struct ConnectRequest {
    address: libc::sockaddr_storage,
    address_len: libc::socklen_t,
    timeout: types::Timespec,
}

impl ConnectRequest {
    /// Boxed, since the kernel is told its address.
    pub(crate) fn new(address: SocketAddr, timeout: Duration) -> Box<Self> {
        let (address, address_len) = system::raw_address(address);
        Box::new(Self { address, address_len, timeout: timeout.into() })
    }
}

/// Attempts to put an entry into a submission queue that does not empty.
const PUSH_TRIES: u32 = 8;

/// An error of the kernel that the next attempt may not meet.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EAGAIN | libc::EINTR))
}

/// Entries of the submission queue: it is flushed whenever it is full, so small will do.
const SUBMISSIONS: u32 = 256;
/// Entries of the completion queue: more than the buffers, so that receives cannot overflow it.
const COMPLETIONS: u32 = 4096;
/// The only buffer group of the ring.
const GROUP: u16 = 0;

impl Ring {
    /// Builds the ring on the calling thread, which must be the only one to use it.
    ///
    /// # Errors
    ///
    /// The kernel's: `ENOSYS` or `EPERM` where io_uring is denied, `ENOMEM` where
    /// `RLIMIT_MEMLOCK` is too low, `EINVAL` where the kernel is older than 6.1.
    pub(crate) fn new(limits: RingLimits) -> io::Result<Self> {
        assert!(limits.buffers.is_power_of_two() && u32::from(limits.buffers) < COMPLETIONS);
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        let buffers = Buffers::map(limits)?;
        // SAFETY: invariant 1: the ring of entries stays mapped until `uring` is dropped, since
        // `buffers` is dropped after it; its length is `limits.buffers` entries, a power of two.
        unsafe {
            uring.submitter().register_buf_ring_with_flags(
                buffers.entries.address() as u64,
                limits.buffers,
                GROUP,
                0,
            )?;
        }
        // SAFETY: a plain system call; the result is checked before it is owned.
        let eventfd = unsafe {
            let fd = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        uring.submitter().register_eventfd(eventfd.as_raw_fd())?;
        let mut ring =
            Self { uring, buffers, eventfd, unpublished: true, single_thread: PhantomData };
        for id in 0..limits.buffers {
            ring.buffers.give(id);
        }
        ring.publish();
        Ok(ring)
    }

    /// The descriptor that becomes readable when there is something to reap.
    pub(crate) fn eventfd(&self) -> &OwnedFd {
        &self.eventfd
    }

    /// Arms a multishot receive on `fd`, which must stay open until its last completion.
    pub(crate) fn receive(&mut self, fd: RawFd, user_data: u64) -> io::Result<()> {
        let entry = opcode::RecvMulti::new(types::Fd(fd), GROUP).build().user_data(user_data);
        // SAFETY: the operation refers to no memory but the registered buffers (invariant 1).
        unsafe { self.push(&[entry]) }
    }

    /// Connects `fd` within the request's time-out.
    ///
    /// # Safety
    ///
    /// `request` must stay where it is, unchanged, until the completion of `user_data` was seen.
    pub(crate) unsafe fn connect(
        &mut self,
        fd: RawFd,
        request: &ConnectRequest,
        user_data: u64,
        timeout_user_data: u64,
    ) -> io::Result<()> {
        let connect = opcode::Connect::new(
            types::Fd(fd),
            (&raw const request.address).cast(),
            request.address_len,
        )
        .build()
        .flags(squeue::Flags::IO_LINK)
        .user_data(user_data);
        let timeout = opcode::LinkTimeout::new(&raw const request.timeout)
            .build()
            .user_data(timeout_user_data);
        // SAFETY: the caller keeps the request until the connect has completed; the kernel reads
        // the time-out at submission.
        unsafe { self.push(&[connect, timeout]) }
    }

    /// Sends all of `bytes`; completes once, with their number or an error.
    ///
    /// # Safety
    ///
    /// The memory of `bytes` must stay where it is, unchanged, until the completion of `user_data`
    /// was seen.
    pub(crate) unsafe fn send(
        &mut self,
        fd: RawFd,
        bytes: &[u8],
        user_data: u64,
    ) -> io::Result<()> {
        let len = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let entry = opcode::Send::new(types::Fd(fd), bytes.as_ptr(), len)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build()
            .user_data(user_data);
        // SAFETY: passed on to the caller.
        unsafe { self.push(&[entry]) }
    }

    /// Asks the kernel to end the operation of `target`; that one then completes for the last
    /// time, and this one completes under `user_data`.
    pub(crate) fn cancel(&mut self, target: u64, user_data: u64) -> io::Result<()> {
        let entry = opcode::AsyncCancel::new(target).build().user_data(user_data);
        // SAFETY: the operation refers to no memory.
        unsafe { self.push(&[entry]) }
    }

    /// Submits what is queued and runs the kernel's deferred work, so that completions appear.
    /// Does not block.
    pub(crate) fn enter(&mut self) -> io::Result<()> {
        self.publish();
        let to_submit = self.uring.submission().len() as u32;
        const GETEVENTS: u32 = 1;
        loop {
            // SAFETY: no argument is passed, so nothing can be misread; what was pushed keeps
            // to invariant 1.
            let entered = unsafe {
                self.uring.submitter().enter::<libc::sigset_t>(to_submit, 0, GETEVENTS, None)
            };
            match entered {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The completion queue is full: reaping it is what the caller does next.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::EAGAIN)) => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Submits what is queued and blocks until `want` completions are there or `at_most` is over.
    pub(crate) fn linger(&mut self, want: usize, at_most: Duration) -> io::Result<()> {
        self.publish();
        let timespec = types::Timespec::from(at_most);
        let args = types::SubmitArgs::new().timespec(&timespec);
        match self.uring.submitter().submit_with_args(want, &args) {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The next completion, if one is there.
    pub(crate) fn reap(&mut self) -> Option<Completion> {
        let entry = self.uring.completion().next()?;
        let (result, flags) = (entry.result(), entry.flags());
        // A buffer may come with an error or with zero bytes too: it is ours all the same.
        let filled = cqueue::buffer_select(flags)
            .map(|id| Filled { id, len: u32::try_from(result).unwrap_or(0) });
        let more = cqueue::more(flags);
        Some(Completion { user_data: entry.user_data(), result, filled, more })
    }

    /// Nothing to reap, and the kernel holds no deferred work back.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.uring.completion().is_empty() && !self.uring.submission().taskrun()
    }

    /// Something is queued that the kernel has not been told.
    pub(crate) fn has_submissions(&mut self) -> bool {
        !self.uring.submission().is_empty()
    }

    /// No completion is waiting to be reaped (the kernel may still hold work back).
    pub(crate) fn is_reaped(&mut self) -> bool {
        self.uring.completion().is_empty()
    }

    /// Whether the eventfd is signalled by new completions.
    pub(crate) fn signal(&mut self, on: bool) {
        if on {
            self.uring.completion().enable_eventfd();
            // The caller looks at the queue next: not before the kernel can see the flag.
            fence(Ordering::SeqCst);
        } else {
            self.uring.completion().disable_eventfd();
        }
    }

    /// The bytes received, to be decrypted where they lie.
    pub(crate) fn bytes(&mut self, filled: &Filled) -> &mut [u8] {
        self.buffers.bytes(filled)
    }

    /// Gives a buffer back to the kernel (with the next [`enter`](Self::enter)).
    pub(crate) fn recycle(&mut self, filled: Filled) {
        self.buffers.give(filled.id);
        self.unpublished = true;
    }

    /// Tells the kernel of the buffers recycled.
    pub(crate) fn publish(&mut self) {
        if std::mem::take(&mut self.unpublished) {
            self.buffers.publish();
        }
    }

    /// Pushes entries that must be submitted together.
    ///
    /// # Safety
    ///
    /// What the entries point to must live until their completion.
    unsafe fn push(&mut self, entries: &[squeue::Entry]) -> io::Result<()> {
        // A submission empties the queue unless the kernel is short of something for a moment.
        for _ in 0..PUSH_TRIES {
            // SAFETY: passed on to the caller.
            if unsafe { self.uring.submission().push_multiple(entries) }.is_ok() {
                return Ok(());
            }
            match self.uring.submit() {
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(io::ErrorKind::WouldBlock))
    }
}

/// The buffer ring (a table of entries that kernel and process share) and its buffers.
struct Buffers {
    entries: Mapping,
    memory: Mapping,
    count: u16,
    buffer_len: u32,
    tail: u16,
}

impl Buffers {
    fn map(limits: RingLimits) -> io::Result<Self> {
        let count = usize::from(limits.buffers);
        Ok(Self {
            entries: Mapping::new(count * size_of::<types::BufRingEntry>())?,
            memory: Mapping::new(count * limits.buffer_len as usize)?,
            count: limits.buffers,
            buffer_len: limits.buffer_len,
            tail: 0,
        })
    }

    fn offset(&self, id: u16) -> usize {
        usize::from(id) * self.buffer_len as usize
    }

    /// Puts a buffer at the tail; the kernel sees it after [`publish`](Self::publish).
    fn give(&mut self, id: u16) {
        debug_assert!(id < self.count);
        let slot = usize::from(self.tail & (self.count - 1));
        // SAFETY: `slot` is below `count`, so the entry lies inside the mapping, which is page
        // aligned. The kernel reads only entries between its head and the published tail; this
        // one lies beyond, as at most `count` buffers are ever given (invariant 2), so nobody
        // else touches it.
        let entry = unsafe { &mut *self.entries.address().cast::<types::BufRingEntry>().add(slot) };
        entry.set_addr(self.memory.address() as u64 + self.offset(id) as u64);
        entry.set_len(self.buffer_len);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&mut self) {
        // SAFETY: the address is the mapping's base, page aligned, and the tail lies inside its
        // first entry. The tail is shared with the kernel, hence the atomic; `Release` makes the
        // entries written before visible first.
        unsafe {
            let tail = types::BufRingEntry::tail(self.entries.address().cast());
            (*tail.cast::<AtomicU16>()).store(self.tail, Ordering::Release);
        }
    }

    fn bytes(&mut self, filled: &Filled) -> &mut [u8] {
        let len = filled.len.min(self.buffer_len) as usize;
        // SAFETY: `filled` proves that the buffer is ours, so the kernel neither writes to it nor
        // reads it while the slice lives, and no other slice does: this one borrows `self` alone,
        // and recycling needs that, too. The kernel only names buffers below `count`, so the range
        // lies inside the mapping.
        unsafe {
            std::slice::from_raw_parts_mut(self.memory.address().add(self.offset(filled.id)), len)
        }
    }
}

/// Anonymous memory, page aligned, unmapped on drop.
struct Mapping {
    address: *mut u8,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Self> {
        // SAFETY: an anonymous private mapping at an address of the kernel's choice.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { address: address.cast(), len })
    }

    fn address(&self) -> *mut u8 {
        self.address
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; no reference into it outlives `self`.
        unsafe {
            libc::munmap(self.address.cast(), self.len);
        }
    }
}
