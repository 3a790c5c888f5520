//! What the kernel says of this process: CPU time, resident memory, open files.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeVal;
use std::io;

/// CPU time of all threads of the process since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// In user mode, ns.
    pub(crate) user_ns: u64,
    /// In the kernel, ns.
    pub(crate) system_ns: u64,
}

impl CpuTime {
    /// The CPU time so far; zero where the kernel does not say.
    pub(crate) fn now() -> Self {
        let ns = |at: TimeVal| at.tv_sec() as u64 * 1_000_000_000 + at.tv_usec() as u64 * 1_000;
        getrusage(UsageWho::RUSAGE_SELF).map_or(Self::default(), |usage| Self {
            user_ns: ns(usage.user_time()),
            system_ns: ns(usage.system_time()),
        })
    }

    /// In both.
    pub(crate) fn all_ns(self) -> u64 {
        self.user_ns + self.system_ns
    }

    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            user_ns: self.user_ns.saturating_sub(earlier.user_ns),
            system_ns: self.system_ns.saturating_sub(earlier.system_ns),
        }
    }
}

/// Resident memory now, KiB (`/proc/self/statm`).
///
/// # Errors
/// The file cannot be read.
pub(crate) fn rss_kib() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_ascii_whitespace().nth(1).and_then(|field| field.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| io::Error::other("statm is not as proc(5) says"))?;
    Ok(pages * page_kib())
}

/// The most resident memory so far, KiB (`VmHWM`).
///
/// # Errors
/// The file cannot be read.
pub(crate) fn rss_peak_kib() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok())
        .ok_or_else(|| io::Error::other("status is not as proc(5) says"))
}

/// Raises the soft limit of open files to the hard one.
///
/// # Errors
/// What the system calls give.
pub(crate) fn raise_descriptors() -> nix::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
}

fn page_kib() -> u64 {
    // sysconf cannot fail for the page size; 4 KiB is what it is nearly everywhere.
    let bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    bytes.map_or(4, |bytes| bytes as u64 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touched_memory_is_resident_and_counts_in_the_peak() {
        // Other tests of this process come and go meanwhile: they have some MiB, not 16.
        let before = rss_kib().unwrap();
        let touched = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = rss_kib().unwrap();
        assert!(after >= before + 48 * 1024, "{before} {after}");
        assert!(rss_peak_kib().unwrap() >= after);
        drop(touched);
    }

    #[test]
    fn work_shows_as_cpu_time() {
        let before = CpuTime::now();
        // A chain of dependent multiplications: 20 million take at least 10 ms on any core.
        let product = (0..20_000_000u64)
            .fold(1u64, |product, n| std::hint::black_box(product.wrapping_mul(n | 1)));
        let used = CpuTime::now().since(before);
        assert_eq!(product % 2, 1);
        assert!(used.user_ns + used.system_ns > 5_000_000, "{used:?}");
    }
}
