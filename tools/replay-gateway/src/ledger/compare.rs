//! Comparing what was numbered with what was seen. Pure: records in, a report out.

use super::{Record, START_GUILD, TRAFFIC};
use std::collections::BTreeMap;

/// A notice that a client gave: what this session numbered after `after_s` will not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLost {
    /// [`super::session_key`] of the session.
    pub session: u64,
    /// The last sequence number that the client had received. Records above are not expected.
    pub after_s: u32,
}

/// What a comparison found. See [`Report::is_clean`].
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Traffic records of the gateway.
    pub numbered: u64,
    /// Of these, seen by the client at least once.
    pub seen: u64,
    /// Numbered, not seen, and not covered by a session-lost notice.
    pub lost: u64,
    /// Numbered, not seen, and covered by a notice.
    pub excused: u64,
    /// Sightings beyond the first of an event.
    pub doubled: u64,
    /// First sightings that came after one of a later event of the same session.
    pub out_of_order: u64,
    /// Sightings whose hash of `d` differs from the gateway's.
    pub altered: u64,
    /// Sightings of an event under another sequence number than it was given.
    pub misnumbered: u64,
    /// Sightings of what the gateway did not number in that session.
    pub unexpected: u64,
    /// Sightings whose hash one of the sides had not computed.
    pub unhashed: u64,
    /// GUILD_CREATEs after READY that were not seen (told apart, since a handler may skip them).
    pub start_guilds_unseen: u64,
    /// The first few findings, in words.
    pub examples: Vec<String>,
}

impl Report {
    /// Nothing lost, doubled, out of order, altered, misnumbered or unexpected.
    pub fn is_clean(&self) -> bool {
        let Self { lost, doubled, out_of_order, altered, misnumbered, unexpected, .. } = self;
        lost + doubled + out_of_order + altered + misnumbered + unexpected == 0
    }

    fn example(&mut self, what: &str, record: &Record) {
        if self.examples.len() < EXAMPLES_MAX {
            let Record { session, s, id, .. } = record;
            self.examples.push(format!("{what}: session {session:016x}, s {s}, id {id}"));
        }
    }
}

/// Compares. `gateway` is in the order of numbering, `client` in the order of seeing; both may
/// interleave sessions. An event is recognised by (session, id), one without id by (session, s).
/// Order is judged within a session, by the client's order of arrival.
pub fn compare(gateway: &[Record], client: &[Record], notices: &[SessionLost]) -> Report {
    let mut report = Report::default();
    let mut sessions = index(gateway);
    for sighting in client {
        match sessions.get_mut(&sighting.session) {
            Some(session) => session.see(gateway, sighting, &mut report),
            None => {
                report.unexpected += 1;
                report.example("unexpected session", sighting);
            }
        }
    }
    for (key, session) in &sessions {
        let after_s = notices.iter().filter(|notice| notice.session == *key).map(|n| n.after_s);
        session.settle(gateway, after_s.min().unwrap_or(u32::MAX), &mut report);
    }
    report
}

/// The gateway's records of one session.
#[derive(Default)]
struct Session {
    /// Recognised by -> index into the gateway's records. Sorted; looked up by binary search.
    places: Vec<(Key, u32)>,
    /// Sightings of each place.
    sightings: Vec<u8>,
    last: Option<u32>,
}

/// What an event is recognised by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u32),
    Id(u64),
}

fn recognised_by(record: &Record) -> Key {
    if record.id != 0 { Key::Id(record.id) } else { Key::Number(record.s) }
}

fn index(gateway: &[Record]) -> BTreeMap<u64, Session> {
    let mut sessions: BTreeMap<u64, Session> = BTreeMap::new();
    for (at, record) in gateway.iter().enumerate() {
        let session = sessions.entry(record.session).or_default();
        session.places.push((recognised_by(record), at as u32));
    }
    for session in sessions.values_mut() {
        session.places.sort_unstable();
        session.sightings = vec![0; session.places.len()];
    }
    sessions
}

impl Session {
    fn see(&mut self, gateway: &[Record], sighting: &Record, report: &mut Report) {
        // Where the gateway knows an event by its number (captures), a client's id says nothing.
        let find = |key| self.places.binary_search_by_key(&key, |place: &(Key, u32)| place.0);
        let found = find(recognised_by(sighting)).or_else(|_| find(Key::Number(sighting.s)));
        let Ok(slot) = found else {
            report.unexpected += 1;
            report.example("unexpected", sighting);
            return;
        };
        let place = self.places[slot].1;
        let numbered = &gateway[place as usize];
        self.sightings[slot] = self.sightings[slot].saturating_add(1);
        if self.sightings[slot] > 1 {
            report.doubled += 1;
            report.example("doubled", sighting);
        } else if self.last.is_some_and(|last| place < last) {
            report.out_of_order += 1;
            report.example("out of order", sighting);
        }
        self.last = self.last.max(Some(place));
        if sighting.s != numbered.s {
            report.misnumbered += 1;
            report.example("misnumbered", sighting);
        }
        if sighting.hash == 0 || numbered.hash == 0 {
            report.unhashed += 1;
        } else if sighting.hash != numbered.hash {
            report.altered += 1;
            report.example("altered", sighting);
        }
    }

    fn settle(&self, gateway: &[Record], after_s: u32, report: &mut Report) {
        for (slot, (_, place)) in self.places.iter().enumerate() {
            let record = &gateway[*place as usize];
            let seen = self.sightings[slot] > 0;
            if record.flags & START_GUILD != 0 {
                report.start_guilds_unseen += u64::from(!seen);
            }
            if record.flags & TRAFFIC == 0 {
                continue;
            }
            report.numbered += 1;
            if seen {
                report.seen += 1;
            } else if record.s > after_s {
                report.excused += 1;
            } else {
                report.lost += 1;
                report.example("lost", record);
            }
        }
    }
}

const EXAMPLES_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> Vec<Record> {
        let record = |session: u64, n: u32| {
            let id = u64::from(n) << 40 | session;
            Record { session, s: n + 2, flags: TRAFFIC, id, hash: id ^ 0xff }
        };
        (0..100).map(|n| record(u64::from(n % 2) + 1, n)).collect()
    }

    #[test]
    fn equal_ledgers_are_clean_whatever_the_interleaving_of_sessions() {
        let gateway = numbered();
        let mut client = gateway.clone();
        client.sort_by_key(|record| record.session);
        let report = compare(&gateway, &client, &[]);
        assert!(report.is_clean(), "{report:?}");
        assert_eq!((report.numbered, report.seen), (100, 100));
    }

    #[test]
    fn a_missing_record_is_lost_unless_a_notice_covers_it() {
        let gateway = numbered();
        let mut client = gateway.clone();
        let gone = client.remove(50);
        assert_eq!(compare(&gateway, &client, &[]).lost, 1);
        let covering = SessionLost { session: gone.session, after_s: gone.s - 1 };
        let report = compare(&gateway, &client, &[covering]);
        assert_eq!((report.lost, report.excused), (0, 1));
        let later = SessionLost { session: gone.session, after_s: gone.s };
        assert_eq!(compare(&gateway, &client, &[later]).lost, 1);
    }

    #[test]
    fn a_record_seen_twice_is_doubled() {
        let gateway = numbered();
        let mut client = gateway.clone();
        client.insert(51, client[50]);
        let report = compare(&gateway, &client, &[]);
        assert_eq!((report.doubled, report.out_of_order, report.lost), (1, 0, 0));
    }

    #[test]
    fn swapped_records_of_one_session_are_out_of_order() {
        let gateway = numbered();
        let mut client = gateway.clone();
        client.swap(50, 52);
        let report = compare(&gateway, &client, &[]);
        assert_eq!((report.out_of_order, report.doubled, report.lost), (1, 0, 0));
        let mut client = gateway.clone();
        client.swap(50, 51); // another session's neighbour: no order between them
        assert!(compare(&gateway, &client, &[]).is_clean());
    }

    #[test]
    fn a_differing_hash_is_altered_and_an_absent_one_is_told() {
        let gateway = numbered();
        let mut client = gateway.clone();
        client[7].hash ^= 1;
        client[8].hash = 0;
        let report = compare(&gateway, &client, &[]);
        assert_eq!((report.altered, report.unhashed), (1, 1));
        assert!(!report.is_clean());
    }

    #[test]
    fn what_the_gateway_never_numbered_is_unexpected() {
        let gateway = numbered();
        let mut client = gateway.clone();
        client.push(Record { id: 12345 << 40, ..client[0] });
        client.push(Record { session: 77, ..client[0] });
        assert_eq!(compare(&gateway, &client, &[]).unexpected, 2);
    }

    #[test]
    fn untagged_records_may_be_seen_or_not() {
        let mut gateway = numbered();
        gateway.push(Record { session: 1, s: 900, flags: 0, id: 0, hash: 5 });
        gateway.push(Record { session: 1, s: 1, flags: START_GUILD, id: 9 << 40, hash: 0 });
        let client = numbered();
        let report = compare(&gateway, &client, &[]);
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(report.start_guilds_unseen, 1);
        let all = gateway.clone();
        let mut client = client;
        client.push(all[100]);
        assert!(compare(&gateway, &client, &[]).is_clean());
    }
}
