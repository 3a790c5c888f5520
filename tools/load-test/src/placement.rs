//! Which cores the client's threads take and which are left to the gateway. Safe system calls
//! only; the engine pins its own threads. Asked once, before anything is started.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Who runs where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// One engine thread is pinned to each.
    pub(crate) client: Vec<usize>,
    /// For the embedded gateway and for this program's other threads; empty: wherever.
    pub(crate) others: Vec<usize>,
}

/// The client takes the last `threads` cores, the rest is for the others; lists that were given
/// win. Without `threads` the client takes one core of up to three, else half of them.
///
/// # Errors
/// A text that names the wrong flag.
pub(crate) fn place(
    allowed: &[usize],
    threads: Option<usize>,
    client: Option<&str>,
    others: Option<&str>,
) -> Result<Placement, String> {
    let given = |name: &str, list: Option<&str>| match list {
        None => Ok(None),
        Some(list) => {
            let cpus = parse_list(list).map_err(|error| format!("{name}: {error}"))?;
            match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
                Some(cpu) => Err(format!("{name}: core {cpu} is not one of {allowed:?}")),
                None => Ok(Some(cpus)),
            }
        }
    };
    let (client, others) = (given("--cpus", client)?, given("--gateway-cpus", others)?);
    if let (Some(cpus), Some(threads)) = (&client, threads)
        && cpus.len() != threads
    {
        return Err(format!("--threads {threads} contradicts --cpus with {}", cpus.len()));
    }
    let client = match client {
        Some(cpus) => cpus,
        None => {
            let threads = threads.unwrap_or(default_threads(allowed.len()));
            if threads == 0 || threads > allowed.len() {
                return Err(format!("--threads: 1 to {} on this machine", allowed.len()));
            }
            allowed[allowed.len() - threads..].to_vec()
        }
    };
    let rest = || allowed.iter().copied().filter(|cpu| !client.contains(cpu)).collect();
    let others = others.unwrap_or_else(rest);
    Ok(Placement { client, others })
}

fn default_threads(cores: usize) -> usize {
    if cores <= 3 { 1 } else { cores / 2 }
}

/// The cores that this thread may run on, ascending.
///
/// # Errors
/// What the system call gives.
pub(crate) fn allowed() -> nix::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

/// Keeps this thread, and those it starts, on these cores. Nothing happens for an empty list.
///
/// # Errors
/// What the system call gives.
pub(crate) fn keep_to(cpus: &[usize]) -> nix::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// Reads `0,2-3`: ascending, each once.
///
/// # Errors
/// A text that says what is wrong.
pub(crate) fn parse_list(list: &str) -> Result<Vec<usize>, String> {
    let number = |text: &str| match text.trim().parse::<usize>() {
        Ok(cpu) if cpu < CpuSet::count() => Ok(cpu),
        _ => Err(format!("`{text}` is no core")),
    };
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(format!("`{part}` runs backwards"));
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Ok(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_takes_the_last_cores_and_the_gateway_the_rest() {
        let two = place(&[0, 1], None, None, None).unwrap();
        assert_eq!((two.client, two.others), (vec![1], vec![0]));
        let one = place(&[4], None, None, None).unwrap();
        assert_eq!((one.client, one.others), (vec![4], vec![]));
        let eight = place(&[0, 1, 2, 3, 4, 5, 6, 7], None, None, None).unwrap();
        assert_eq!((eight.client, eight.others), (vec![4, 5, 6, 7], vec![0, 1, 2, 3]));
        let three = place(&[0, 1, 2, 3], Some(3), None, None).unwrap();
        assert_eq!((three.client, three.others), (vec![1, 2, 3], vec![0]));
    }

    #[test]
    fn lists_that_are_given_win_and_must_make_sense() {
        let given = place(&[0, 1, 2, 3], None, Some("0,2-3"), Some("0-1")).unwrap();
        assert_eq!((given.client, given.others), (vec![0, 2, 3], vec![0, 1]));
        assert!(place(&[0, 1], Some(2), Some("1"), None).is_err());
        assert!(place(&[0, 1], None, Some("7"), None).is_err());
        assert!(place(&[0, 1], Some(3), None, None).is_err());
        for list in ["", "a", "3-1", "1-", "99999"] {
            assert!(parse_list(list).is_err(), "{list}");
        }
        assert_eq!(parse_list("5,3"), Ok(vec![3, 5]));
    }
}
