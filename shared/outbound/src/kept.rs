//! What a store or a key said, for a while: bounded in age, and in number, since callers nobody knows name tenants.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use recoup_domain::time::Timestamp;

/// Most values that are kept of one kind.
pub const KEPT_MAX: usize = 1_000;
/// How long what was found is not asked for again: a new key counts after this at the latest.
const FOUND_LIFE: Duration = Duration::from_mins(5);
/// The same of what was not there. Shorter, because somebody may be waiting for it.
const ABSENT_LIFE: Duration = Duration::from_mins(1);
/// How long what was found counts while the store does not answer.
const OUTLIVING: Duration = Duration::from_hours(1);
/// How long a store that did not answer is left alone about what is still kept.
const STORE_REST: Duration = Duration::from_mins(1);

/// Values by what was asked for.
#[derive(Debug)]
pub(crate) struct Kept<K, T> {
    entries: HashMap<K, Entry<T>>,
}

/// A value as it was read; `None` where there was none.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) value: Option<T>,
    read_at: Timestamp,
    fresh_until: Timestamp,
}

impl<K, T> Kept<K, T> {
    pub(crate) fn empty() -> Self {
        Self { entries: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash, T> Kept<K, T> {
    /// What need not be asked for now.
    pub(crate) fn fresh(&self, key: &K, now: Timestamp) -> Option<&Entry<T>> {
        self.entries.get(key).filter(|entry| now < entry.fresh_until)
    }

    /// Keeps what was read. A found value never makes room for an absent one, so nobody who names tenants at random
    /// takes the keys away from those that exist.
    pub(crate) fn keep(&mut self, key: &K, value: Option<T>, now: Timestamp) {
        self.entries.retain(|other, entry| other != key && now.since(entry.read_at) < OUTLIVING);
        if self.entries.len() >= KEPT_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| (entry.value.is_some(), entry.read_at));
            let Some((leaving, entry)) = oldest else { return };
            if entry.value.is_some() && value.is_none() {
                return;
            }
            let leaving = leaving.clone();
            self.entries.remove(&leaving);
        }
        let life = if value.is_some() { FOUND_LIFE } else { ABSENT_LIFE };
        self.entries.insert(key.clone(), Entry { value, read_at: now, fresh_until: now.plus(life) });
    }
}

impl<K: Clone + Eq + Hash, T: Clone> Kept<K, T> {
    /// What was found within the hour, now that the store does not answer.
    pub(crate) fn outlive(&mut self, key: &K, now: Timestamp) -> Option<T> {
        let entry = self.entries.get_mut(key).filter(|entry| now.since(entry.read_at) < OUTLIVING)?;
        let value = entry.value.clone()?;
        entry.fresh_until = now.plus(STORE_REST);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use recoup_domain::ids::{AccountId, Environment, Tenant};

    use super::*;

    fn tenant(number: u128) -> Tenant {
        Tenant { environment: Environment::Sandbox, account: AccountId::from_bits(number) }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_795_000_000_000).unwrap().plus(Duration::from_secs(seconds))
    }

    fn values(kept: &Kept<Tenant, u8>, numbers: std::ops::Range<u128>, now: Timestamp) -> usize {
        numbers.filter(|number| kept.fresh(&tenant(*number), now).is_some()).count()
    }

    #[test]
    fn tenants_that_do_not_exist_take_no_place_from_those_that_do() {
        let bound = u128::try_from(KEPT_MAX).unwrap();
        let mut kept = Kept::empty();
        for number in 0..10 {
            kept.keep(&tenant(number), Some(1), at(0));
        }
        for number in 10..3 * bound {
            kept.keep(&tenant(number), None, at(1));
        }
        assert_eq!((kept.entries.len(), values(&kept, 0..10, at(2))), (KEPT_MAX, 10));

        // One more that exists takes the place of one that does not.
        for number in 10 * bound..11 * bound {
            kept.keep(&tenant(number), Some(1), at(3));
        }
        assert_eq!((kept.entries.len(), values(&kept, 10 * bound..11 * bound, at(4))), (KEPT_MAX, KEPT_MAX));
        kept.keep(&tenant(10), None, at(5));
        assert_eq!(values(&kept, 10..11, at(6)), 0);
    }

    #[test]
    fn what_no_longer_counts_is_forgotten_with_the_next_read() {
        let mut kept = Kept::empty();
        kept.keep(&tenant(1), Some(1), at(0));
        kept.keep(&tenant(2), Some(1), at(3_599));
        assert_eq!(kept.entries.len(), 2);
        kept.keep(&tenant(3), None, at(3_600));
        assert_eq!(kept.entries.len(), 2);
    }
}
