//! Header fields in a row. A message has few of them, so that to look at each is quicker than to hash their names, and the
//! row is one piece of memory.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header fields in the order they were given.
#[derive(Debug, Default)]
pub struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    /// None yet, and room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Adds a field behind the others, of the same name too.
    pub fn push(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push((name, value));
    }

    /// Has `value` be the only one of its name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.push(name, value);
    }

    /// Takes out all of that name; gives back the first.
    pub fn remove(&mut self, name: &HeaderName) -> Option<HeaderValue> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        let (_, value) = self.0.remove(at);
        self.0.retain(|(other, _)| other != name);
        Some(value)
    }

    /// Takes out those whose name is not to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&HeaderName) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// The first value of that name.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.get_all(name).next()
    }

    /// All values of that name.
    pub fn get_all(&self, name: &HeaderName) -> impl DoubleEndedIterator<Item = &HeaderValue> {
        self.iter().filter(move |(other, _)| *other == name).map(|(_, value)| value)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Names and values.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl From<HeaderMap> for Fields {
    fn from(map: HeaderMap) -> Self {
        let mut fields = Self::with_capacity(map.len());
        let mut last = None;
        for (name, value) in map {
            // The second and further values of a name come without it.
            last = name.or(last);
            if let Some(name) = &last {
                fields.push(name.clone(), value);
            }
        }
        fields
    }
}

impl From<Fields> for HeaderMap {
    fn from(fields: Fields) -> Self {
        let mut map = Self::with_capacity(fields.0.len());
        for (name, value) in fields.0 {
            map.append(name, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, HOST, SET_COOKIE};

    use super::*;

    #[test]
    fn fields_keep_their_order_and_may_come_twice() {
        let value = HeaderValue::from_static;
        let mut fields = Fields::with_capacity(0);
        fields.push(SET_COOKIE, value("a"));
        fields.push(HOST, value("b"));
        fields.push(SET_COOKIE, value("c"));
        assert_eq!(fields.get(&SET_COOKIE), Some(&value("a")));
        assert_eq!(fields.get_all(&SET_COOKIE).collect::<Vec<_>>(), ["a", "c"]);
        fields.set(SET_COOKIE, value("d"));
        assert_eq!(fields.get_all(&SET_COOKIE).collect::<Vec<_>>(), ["d"]);
        assert_eq!(fields.remove(&ACCEPT), None);
        fields.push(SET_COOKIE, value("e"));
        fields.retain(|name| name != ACCEPT);
        let map = HeaderMap::from(fields);
        assert_eq!((map.get(HOST), map.len()), (Some(&value("b")), 3));
        assert_eq!(Fields::from(map).get_all(&SET_COOKIE).collect::<Vec<_>>(), ["d", "e"]);
    }
}
