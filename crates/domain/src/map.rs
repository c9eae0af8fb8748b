//! Maps and sets with little code: the library's are compiled anew for each key and value, some kilobytes each time. Here
//! only what compares keys is; order and search are compiled once.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;

/// Items of a part of the order. Longer parts are halved, so that an item in the middle of many is put in quickly.
const PART_MAX: usize = 512;

/// A map in the order of its keys.
#[derive(Clone)]
pub struct Map<K, V> {
    /// In no order; where something was removed, there is a gap.
    slots: Vec<Option<(K, V)>>,
    gaps: Vec<u32>,
    order: Order,
}

/// Places of slots, in the order of the keys in them.
#[derive(Clone, Default)]
struct Order(Vec<Vec<u32>>);

/// A place in the order: the part, and where in it.
type Place = (usize, usize);

impl Order {
    /// Where the key is that a comparison looks for, or where it belongs.
    fn find(&self, compare: &mut dyn FnMut(u32) -> Ordering) -> Result<Place, Place> {
        let ends = self.0.partition_point(|part| {
            part.last().is_some_and(|last| compare(*last) == Ordering::Less)
        });
        // Behind all others, it belongs to the last part.
        let at = ends.min(self.0.len().saturating_sub(1));
        let Some(part) = self.0.get(at) else { return Err((0, 0)) };
        match part.binary_search_by(|slot| compare(*slot)) {
            Ok(place) => Ok((at, place)),
            Err(place) => Err((at, place)),
        }
    }

    fn insert(&mut self, (at, place): Place, slot: u32) {
        if self.0.is_empty() {
            self.0.push(Vec::new());
        }
        let part = &mut self.0[at];
        part.insert(place, slot);
        if part.len() > PART_MAX {
            // Keys often come in their order: then the first part stays as full as it is.
            let half = if place + 1 == part.len() { place } else { PART_MAX / 2 };
            let rest = part.split_off(half);
            self.0.insert(at + 1, rest);
        }
    }

    fn remove(&mut self, (at, place): Place) -> u32 {
        let slot = self.0[at].remove(place);
        if self.0[at].is_empty() {
            self.0.remove(at);
        }
        slot
    }

    fn slot(&self, (at, place): Place) -> usize {
        self.0[at][place] as usize
    }

    /// All slots in their order.
    fn all(&self) -> Vec<u32> {
        self.0.concat()
    }
}

impl<K: Ord, V> Map<K, V> {
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), gaps: Vec::new(), order: Order(Vec::new()) }
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len() - self.gaps.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&mut self) {
        *self = Self::new();
    }

    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<Place, Place>
    where
        K: Borrow<Q>,
    {
        let slots = &self.slots;
        self.order.find(&mut |slot| match &slots[slot as usize] {
            Some((known, _)) => known.borrow().cmp(key),
            None => Ordering::Less,
        })
    }

    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.slots[self.order.slot(place)].as_ref().map(|(_, value)| value)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.slots[self.order.slot(place)].as_mut().map(|(_, value)| value)
    }

    /// Sets the value of a key. Returns the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(place) => {
                let old = &mut self.slots[self.order.slot(place)];
                old.replace((key, value)).map(|(_, old)| old)
            }
            Err(place) => {
                self.put(place, key, value);
                None
            }
        }
    }

    /// Puts a new key in. Returns its slot.
    fn put(&mut self, place: Place, key: K, value: V) -> usize {
        let slot = self.gaps.pop().map_or(self.slots.len(), |gap| gap as usize);
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some((key, value));
        self.order.insert(place, u32::try_from(slot).unwrap_or(u32::MAX));
        slot
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        let slot = self.order.remove(place);
        self.gaps.push(slot);
        self.slots[slot as usize].take().map(|(_, value)| value)
    }

    /// The value of a key, made if there is none.
    ///
    /// # Panics
    /// Never: what was found or put in is there.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let slot = match self.find(&key) {
            Ok(place) => self.order.slot(place),
            Err(place) => self.put(place, key, make()),
        };
        self.slots[slot].as_mut().map(|(_, value)| value).expect("a slot that was found is full")
    }

    /// Keeps what a function says.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K, &mut V) -> bool) {
        for at in (0..self.order.0.len()).rev() {
            for place in (0..self.order.0[at].len()).rev() {
                let slot = &mut self.slots[self.order.slot((at, place))];
                if !slot.as_mut().is_some_and(|(key, value)| is_kept(key, value)) {
                    *slot = None;
                    self.gaps.push(self.order.remove((at, place)));
                }
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let pairs =
            self.order.all().into_iter().filter_map(|slot| self.slots[slot as usize].as_ref());
        pairs.map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    pub fn into_keys(self) -> impl Iterator<Item = K> {
        self.into_iter().map(|(key, _)| key)
    }

    pub fn into_values(self) -> impl Iterator<Item = V> {
        self.into_iter().map(|(_, value)| value)
    }

    /// In no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().flatten().map(|(_, value)| value)
    }
}

impl<K: Ord, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(mut self) -> Self::IntoIter {
        let order = self.order.all().into_iter();
        order.filter_map(|slot| self.slots[slot as usize].take()).collect::<Vec<_>>().into_iter()
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::vec::IntoIter<(&'a K, &'a V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<_>>().into_iter()
    }
}

impl<K: Ord, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for Map<K, V> {}

impl<K: Ord, V> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut map = Self::new();
        map.extend(pairs);
        map
    }
}

/// A set in the order of its items.
#[derive(Clone)]
pub struct Set<T>(Map<T, ()>);

impl<T: Ord> Set<T> {
    #[must_use]
    pub const fn new() -> Self {
        Self(Map::new())
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    #[must_use]
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains_key(item)
    }

    /// Whether the item is new.
    pub fn insert(&mut self, item: T) -> bool {
        self.0.insert(item, ()).is_none()
    }

    /// Whether the item was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.remove(item).is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.keys()
    }
}

impl<T: Ord> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_keys().collect::<Vec<_>>().into_iter()
    }
}

impl<'a, T: Ord> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = std::vec::IntoIter<&'a T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<_>>().into_iter()
    }
}

impl<T: Ord> Default for Set<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord + fmt::Debug> fmt::Debug for Set<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl<T: Ord> PartialEq for Set<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: Ord> Eq for Set<T> {}

impl<T: Ord> Extend<T> for Set<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.insert(item);
        }
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut set = Self::new();
        set.extend(items);
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Both maps after the same changes: `Some` inserts, `None` removes.
    fn both(changes: &[(u16, Option<u8>)]) -> (Map<u16, u8>, BTreeMap<u16, u8>) {
        let (mut map, mut model) = (Map::new(), BTreeMap::new());
        for (key, value) in changes {
            match value {
                Some(value) => assert_eq!(map.insert(*key, *value), model.insert(*key, *value)),
                None => assert_eq!(map.remove(key), model.remove(key)),
            }
        }
        (map, model)
    }

    proptest! {
        #[test]
        fn is_as_the_library_s(
            changes in prop::collection::vec((0_u16..2000, any::<Option<u8>>()), 0..4000),
            kept in any::<u8>(),
        ) {
            let (mut map, mut model) = both(&changes);
            prop_assert_eq!(map.len(), model.len());
            prop_assert!(map.iter().eq(model.iter()));
            for key in 0..2000 {
                prop_assert_eq!(map.get(&key), model.get(&key));
            }
            *map.entry(1000, || 7) ^= 1;
            *model.entry(1000).or_insert(7) ^= 1;
            map.retain(|_, value| *value > kept);
            model.retain(|_, value| *value > kept);
            prop_assert!(map.iter().eq(model.iter()));
            prop_assert!(map.clone().into_values().eq(model.into_values()));
            prop_assert_eq!(map.iter().map(|(key, value)| (*key, *value)).collect::<Map<_, _>>(), map);
        }
    }

    #[test]
    fn many_in_their_order() {
        let map: Map<u32, u32> = (0..10_000).map(|number| (number, number)).collect();
        assert!(map.keys().copied().eq(0..10_000));
        assert_eq!((map.get(&9_999), map.get(&10_000)), (Some(&9_999), None));
    }
}
