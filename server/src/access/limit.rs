//! How often a password may be tried: ten times in a row from one address, then once in ten seconds; and from all addresses together
//! a hundred times, then once a second. Who is signed in is not held up by it.
//!
//! An address that is refused does not use up what all have together, so that it keeps nobody else out. What is remembered is
//! bounded: addresses beyond that share one count.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// Of one address.
const ONE: Rate = Rate { most: 10, every: SignedDuration::from_secs(10) };
/// Of all together.
const ALL: Rate = Rate { most: 100, every: SignedDuration::from_secs(1) };
/// So many addresses are told apart.
const MOST_ADDRESSES: usize = 4096;

/// So many tries in a row, and one more each time that the interval has passed.
#[derive(Clone, Copy, Debug)]
struct Rate {
    most: u32,
    every: SignedDuration,
}

/// What is left of the tries: kept as the moment at which all of them are there again.
#[derive(Clone, Copy, Debug)]
struct Count(Timestamp);

impl Rate {
    /// Whether one more try is there; how long to wait for it, if none is.
    fn is_left(self, count: Count, now: Timestamp) -> Result<(), SignedDuration> {
        let used = count.0.duration_since(now);
        let most = self.every * i32::try_from(self.most - 1).unwrap_or(i32::MAX);
        // A clock that was set back far is no reason to wait until then.
        if used <= most || used > most + self.every * 2 { Ok(()) } else { Err(used - most) }
    }

    /// Counts one try.
    fn take(self, count: Count, now: Timestamp) -> Count {
        let most = self.every * i32::try_from(self.most).unwrap_or(i32::MAX);
        let begins = if count.0.duration_since(now) > most + self.every { now } else { count.0.max(now) };
        Count(begins.checked_add(self.every).unwrap_or(Timestamp::MAX))
    }
}

/// Counts the tries.
#[derive(Debug, Default)]
pub(crate) struct Limiter(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    all: Count,
    addresses: HashMap<Option<IpAddr>, Count>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { all: Count(Timestamp::MIN), addresses: HashMap::new() }
    }
}

impl Limiter {
    /// Takes one try.
    ///
    /// # Errors
    /// How many seconds to wait, if there is none.
    pub(crate) fn take(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = counts.key(address.map(network), now);
        let one = counts.addresses.get(&key).copied().unwrap_or(Count(now));
        let is_left = ONE.is_left(one, now).and_then(|()| ALL.is_left(counts.all, now));
        is_left.map_err(seconds)?;
        counts.all = ALL.take(counts.all, now);
        counts.addresses.insert(key, ONE.take(one, now));
        Ok(())
    }

    /// The password was right: nobody was guessing there.
    pub(crate) fn forget(&self, address: Option<IpAddr>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.addresses.remove(&address.map(network));
    }
}

impl Counts {
    /// By what an address is counted: by itself, or where there are too many, together with all others.
    fn key(&mut self, address: Option<IpAddr>, now: Timestamp) -> Option<IpAddr> {
        if self.addresses.len() < MOST_ADDRESSES || self.addresses.contains_key(&address) {
            return address;
        }
        self.addresses.retain(|_, count| count.0 > now);
        if self.addresses.len() < MOST_ADDRESSES { address } else { None }
    }
}

/// One household has one IPv4 address, and a whole network of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Whole seconds, upwards.
fn seconds(wait: SignedDuration) -> u64 {
    u64::try_from(wait.as_millis().max(0)).unwrap_or(u64::MAX).div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use jiff::Timestamp;

    use super::{Limiter, MOST_ADDRESSES};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_has_ten_tries_then_one_in_ten_seconds_and_holds_up_nobody_else() {
        let limiter = Limiter::default();
        let tries = |address: &str, second| {
            (0..1000).filter(|_| limiter.take(Some(ip(address)), at(second)).is_ok()).count()
        };
        assert_eq!(tries("203.0.113.7", 0), 10);
        assert_eq!(limiter.take(Some(ip("203.0.113.7")), at(0)), Err(10));
        assert_eq!(limiter.take(Some(ip("203.0.113.7")), at(9)), Err(1));
        assert_eq!(tries("203.0.113.7", 10), 1);
        assert_eq!(tries("203.0.113.8", 10), 10);
        assert_eq!(tries("203.0.113.7", 10 + 35), 3);
        assert_eq!(tries("203.0.113.7", 10_000), 10);
        limiter.forget(Some(ip("203.0.113.7")));
        assert_eq!(tries("203.0.113.7", 10_000), 10);
    }

    #[test]
    fn all_addresses_together_have_a_hundred_tries_then_one_a_second() {
        let limiter = Limiter::default();
        let mut addresses = (0..u32::MAX).map(|number| Some(IpAddr::V4(Ipv4Addr::from_bits(number))));
        let mut tries = |second| {
            addresses.by_ref().take(200).filter(|one| limiter.take(*one, at(second)).is_ok()).count()
        };
        assert_eq!(tries(0), 100);
        assert_eq!(tries(7), 7);
        assert_eq!(limiter.take(Some(ip("203.0.113.7")), at(7)), Err(1));
        assert!(limiter.take(Some(ip("203.0.113.7")), at(8)).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let limiter = Limiter::default();
        let taken =
            (0..100).filter(|host| limiter.take(Some(ip(&format!("2001:db8::{host}"))), at(0)).is_ok());
        assert_eq!(taken.count(), 10);
        assert!(limiter.take(Some(ip("2001:db8:0:1::1")), at(0)).is_ok());
        let mapped = (0..100).filter(|_| limiter.take(Some(ip("::ffff:203.0.113.9")), at(0)).is_ok()).count();
        assert_eq!(mapped, 10);
        assert!(limiter.take(Some(ip("203.0.113.9")), at(0)).is_err());
    }

    #[test]
    fn memory_is_bounded_and_a_clock_that_is_set_back_locks_nobody_out() {
        let limiter = Limiter::default();
        for number in 0..20_000_u32 {
            // So slowly that all together may.
            let second = i64::from(number);
            let tried = limiter.take(Some(IpAddr::V4(Ipv4Addr::from_bits(number))), at(second));
            assert!(tried.is_ok(), "{number}");
        }
        let kept = limiter.0.lock().expect("no panic").addresses.len();
        assert!(kept <= MOST_ADDRESSES + 1, "{kept}");
        let limiter = Limiter::default();
        while limiter.take(Some(ip("203.0.113.7")), at(100_000)).is_ok() {}
        assert!(limiter.take(Some(ip("203.0.113.7")), at(0)).is_ok());
    }
}
