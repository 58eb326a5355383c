//! How many connections one address may have: so many that no household notices, and too few to keep everybody else out.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Connections of one address at a time; those of this machine are not counted, nor those of a reverse proxy near it.
const MOST_OF_ONE: usize = 64;

/// The connections that there are, by the address of their other side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place in the crowd, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// A place for one more connection; none if its address has too many.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= MOST_OF_ONE {
            return None;
        }
        *count += 1;
        Some(Place { crowd: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Crowd, MOST_OF_ONE};

    #[test]
    fn one_address_takes_so_many_places_and_leaves_them_for_others() {
        let crowd = Crowd::default();
        let (one, other) = ("203.0.113.7".parse().expect("one"), "203.0.113.8".parse().expect("one"));
        let mut places: Vec<_> = (0..200).filter_map(|_| crowd.enter(one)).collect();
        assert_eq!(places.len(), MOST_OF_ONE);
        assert!(crowd.enter("::ffff:203.0.113.7".parse().expect("one")).is_none());
        assert!(crowd.enter(other).is_some());
        places.pop();
        assert!(crowd.enter(one).is_some());
        places.clear();
        assert!(crowd.0.lock().expect("no panic").is_empty(), "who is gone is forgotten");
    }
}
