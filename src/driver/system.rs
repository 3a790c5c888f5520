//! What the machine must allow: cores to pin to, open files, io_uring.
//!
//! Asked before anything is started, so that a missing permission is an error with its cure and
//! not a stall later. The only file of `driver` beside the ring with `unsafe`: plain system calls.
//! The engine calls it.

use std::io;
use std::mem::MaybeUninit;

use crate::config::Cores;
use crate::error::{Error, ErrorKind};

/// Descriptors that the process needs besides one for each shard's connection: the rings, event
/// descriptors, standard streams, and the connections that linger while their last completion is
/// awaited.
const DESCRIPTORS_SPARE: u64 = 128;

/// The cores that this thread may run on, ascending.
pub(crate) fn allowed_cpus() -> Result<Vec<usize>, Error> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the set is zeroed, which is a valid value, and the kernel writes at most its size.
    let set = unsafe {
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) != 0 {
            return Err(last_error(ErrorKind::Thread, "sched_getaffinity failed"));
        }
        set.assume_init()
    };
    Ok((0..libc::CPU_SETSIZE as usize)
        // SAFETY: the index is below CPU_SETSIZE.
        .filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) })
        .collect())
}

/// The cores to pin to.
pub(crate) fn choose_cpus(cores: &Cores, allowed: &[usize]) -> Result<Vec<usize>, Error> {
    match cores {
        Cores::All => Ok(allowed.to_vec()),
        Cores::First(count) if *count <= allowed.len() => Ok(allowed[..*count].to_vec()),
        Cores::First(count) => Err(Error::new(
            ErrorKind::Config,
            format!("cores: {count} asked for, the process may use {}", allowed.len()),
        )),
        Cores::These(cpus) => match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
            Some(cpu) => Err(Error::new(
                ErrorKind::Config,
                format!("cpus: the process may not use {cpu}, only {allowed:?}"),
            )),
            None => Ok(cpus.clone()),
        },
    }
}

/// Pins the calling thread.
pub(crate) fn pin(cpu: usize) -> Result<(), Error> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: a zeroed set is valid; `cpu` came from `allowed_cpus`, so it is below CPU_SETSIZE.
    let result = unsafe {
        libc::CPU_SET(cpu, set.assume_init_mut());
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set.as_ptr())
    };
    if result != 0 {
        return Err(last_error(ErrorKind::Thread, &format!("cannot pin a thread to core {cpu}")));
    }
    Ok(())
}

/// Makes sure that so many connections can be open, raising the soft limit to the hard one.
pub(crate) fn ensure_descriptors(shards: usize) -> Result<(), Error> {
    // A reconnecting shard holds two for a moment; a storm holds many.
    let needed = shards as u64 + shards as u64 / 4 + DESCRIPTORS_SPARE;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(last_error(ErrorKind::Limit, "getrlimit(RLIMIT_NOFILE) failed"));
    }
    if limit.rlim_cur >= needed {
        return Ok(());
    }
    let raised = libc::rlimit { rlim_cur: needed.min(limit.rlim_max), rlim_max: limit.rlim_max };
    // SAFETY: the kernel reads one rlimit.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) };
    if result != 0 || raised.rlim_cur < needed {
        return Err(Error::new(
            ErrorKind::Limit,
            format!(
                "{shards} shards need {needed} open files, RLIMIT_NOFILE allows {} (hard limit {}); \
                 raise it with `ulimit -n {needed}`, LimitNOFILE= of systemd, or --ulimit nofile= \
                 of a container",
                limit.rlim_cur, limit.rlim_max
            ),
        ));
    }
    Ok(())
}

/// What to tell of an io_uring that could not be set up.
pub(crate) fn ring_error(error: &io::Error) -> Error {
    let text = match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM | libc::EACCES) => {
            "io_uring is denied. In a container its seccomp profile must allow io_uring_setup, \
             io_uring_enter and io_uring_register (see the README); on the host \
             `sysctl kernel.io_uring_disabled` must be 0"
        }
        Some(libc::ENOMEM) => {
            "not enough lockable memory for an io_uring. Raise RLIMIT_MEMLOCK: `ulimit -l unlimited`, \
             LimitMEMLOCK=infinity of systemd, or --ulimit memlock=-1 of a container; a core needs \
             about 256 KiB"
        }
        Some(libc::EINVAL) => {
            "this kernel's io_uring lacks something that the engine needs (deferred task work, \
             buffer rings, multishot receives): Linux 6.1 or newer has them"
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            "no descriptor is left for an io_uring: raise RLIMIT_NOFILE"
        }
        _ => "an io_uring could not be set up",
    };
    let kind = match error.raw_os_error() {
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE) => ErrorKind::Limit,
        _ => ErrorKind::IoUring,
    };
    Error::new(kind, format!("{text} ({error})"))
}

/// A connected pair of sockets, to try the ring's operations on.
pub(crate) fn socket_pair()
-> io::Result<(std::os::unix::net::UnixStream, std::os::unix::net::UnixStream)> {
    std::os::unix::net::UnixStream::pair()
}

/// A TCP socket that is not yet connected, blocking (io_uring polls by itself), close-on-exec,
/// without Nagle's delay.
///
/// # Errors
///
/// No descriptor is left, or the kernel does not know the protocol.
pub(crate) fn tcp_socket(ipv6: bool, timeouts: &TcpTimeouts) -> io::Result<std::net::TcpStream> {
    use std::os::fd::FromRawFd;
    let domain = if ipv6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: a plain system call; the descriptor is checked before it is owned.
    let stream = unsafe {
        let fd = libc::socket(domain, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        std::net::TcpStream::from_raw_fd(fd)
    };
    stream.set_nodelay(true)?;
    if let Some(after) = timeouts.keepalive {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&stream);
        let idle_s = i32::try_from(after.as_secs().max(1)).unwrap_or(i32::MAX);
        set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
        set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, idle_s)?;
        set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, (idle_s / 3).max(1))?;
        set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3)?;
    }
    if let Some(after) = timeouts.user {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&stream);
        let ms = i32::try_from(after.as_millis().max(1)).unwrap_or(i32::MAX);
        set_option(fd, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, ms)?;
    }
    Ok(stream)
}

/// How the kernel looks after a connection on which nothing moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpTimeouts {
    /// `TCP_KEEPIDLE`; probes follow every third of it, three of them.
    pub(crate) keepalive: Option<std::time::Duration>,
    /// `TCP_USER_TIMEOUT`: how long bytes may go unacknowledged.
    pub(crate) user: Option<std::time::Duration>,
}

fn set_option(fd: std::os::fd::RawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: a plain system call; the kernel reads one `int` at the address given.
    let result = unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Writes what the socket takes at once; a courtesy that may fail.
pub(crate) fn send_at_once(fd: std::os::fd::RawFd, bytes: &[u8]) {
    // SAFETY: a plain system call on a slice that lives through it.
    unsafe {
        libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
    }
}

/// Gives freed pages of this thread's heap back to the system, about `len` bytes of them.
///
/// glibc's `malloc_trim` releases free pages between blocks, but not those at the end of a thread's
/// heap, and after some large blocks it keeps megabytes there. So blocks are taken from that end,
/// their pages released while they are ours, and the blocks freed, their pages no longer backed.
/// Elsewhere than with glibc it does nothing.
pub(crate) fn trim_heap(len: usize) {
    #[cfg(target_env = "gnu")]
    {
        const PAGE_LEN: usize = 4096;
        // SAFETY: thread-safe, touches only free memory of the allocator.
        unsafe {
            libc::malloc_trim(0);
        }
        let count = len.div_ceil(TRIM_BLOCK_LEN).min(TRIM_BLOCKS_MAX);
        let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(count);
        for _ in 0..count {
            let mut block = Vec::<u8>::with_capacity(TRIM_BLOCK_LEN);
            let start = block.as_mut_ptr();
            let ahead = start.align_offset(PAGE_LEN);
            if ahead < TRIM_BLOCK_LEN {
                let pages_len = (TRIM_BLOCK_LEN - ahead) / PAGE_LEN * PAGE_LEN;
                // SAFETY: whole pages inside a block that is ours and holds nothing: what they
                // contained may be lost.
                unsafe {
                    libc::madvise(start.add(ahead).cast(), pages_len, libc::MADV_DONTNEED);
                }
            }
            blocks.push(block);
        }
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = len;
}

/// Small enough to come from a thread's heap once larger blocks have come and gone.
#[cfg(target_env = "gnu")]
const TRIM_BLOCK_LEN: usize = 1 << 20;
/// A thread's heap of glibc is at most 64 MiB.
#[cfg(target_env = "gnu")]
const TRIM_BLOCKS_MAX: usize = 64;

/// An address as the kernel wants it.
pub(crate) fn raw_address(
    address: std::net::SocketAddr,
) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all-zero bytes are a valid `sockaddr_storage`.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let len = match address {
        std::net::SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: `sockaddr_storage` is as large and as aligned as any socket address.
            unsafe { (&raw mut storage).cast::<libc::sockaddr_in>().write(raw) };
            size_of::<libc::sockaddr_in>()
        }
        std::net::SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe { (&raw mut storage).cast::<libc::sockaddr_in6>().write(raw) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, len as libc::socklen_t)
}

/// Milliseconds since the machine was booted, its sleep included. All processes see the same, and
/// nobody can set it.
pub(crate) fn boot_ms() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`, which lives until the call returns.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    // Known to every kernel since 2.6.39; there is no other way to fail.
    debug_assert_eq!(result, 0);
    let (seconds, ns) = (time.tv_sec.max(0) as u64, time.tv_nsec.max(0) as u64);
    seconds.saturating_mul(1000).saturating_add(ns / 1_000_000)
}

fn last_error(kind: ErrorKind, what: &str) -> Error {
    Error::new(kind, format!("{what}: {}", io::Error::last_os_error()))
}
