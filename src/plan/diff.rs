//! What a new plan changes: listeners and apps by name, each compared by value.

use super::{App, Claim, Plan};

/// What changes from one plan to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// Of public sockets.
    pub listeners: Changes,
    /// Of apps.
    pub apps: Changes,
}

/// Names, in the order of the plan they are from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New ones.
    pub to_add: Vec<String>,
    /// In both, with any value different.
    pub to_change: Vec<String>,
    /// No longer there.
    pub to_remove: Vec<String>,
}

impl Changes {
    fn of<T>(old: &[T], new: &[T], name: impl Fn(&T) -> &str, same: impl Fn(&T, &T) -> bool) -> Self {
        let by_name = |all: &[T]| -> rustc_hash::FxHashMap<String, usize> {
            all.iter().enumerate().map(|(index, one)| (name(one).to_owned(), index)).collect()
        };
        let (were, are) = (by_name(old), by_name(new));
        let mut changes = Self::default();
        for one in new {
            match were.get(name(one)) {
                None => changes.to_add.push(name(one).to_owned()),
                Some(index) if !same(&old[*index], one) => changes.to_change.push(name(one).to_owned()),
                Some(_) => {}
            }
        }
        let gone = old.iter().map(&name).filter(|name| !are.contains_key(*name));
        changes.to_remove = gone.map(str::to_owned).collect();
        changes
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.to_add.is_empty() && self.to_change.is_empty() && self.to_remove.is_empty()
    }
}

impl Plan {
    /// What `new` changes.
    pub fn diff(&self, new: &Self) -> Diff {
        Diff {
            listeners: Changes::of(&self.listeners, &new.listeners, |one| one.name.as_str(), |a, b| a == b),
            apps: Changes::of(&self.apps, &new.apps, |one| &one.name, |a, b| self.same_app(a, new, b)),
        }
    }

    /// Whether an app is the same in both plans. Claims name listeners by index, and an index means nothing across
    /// plans: their names are compared.
    fn same_app(&self, app: &App, new: &Self, other: &App) -> bool {
        fn name<'p>(plan: &'p Plan, claim: &Claim) -> Option<&'p str> {
            claim.listener.map(|index| plan.listeners[index].name.as_str())
        }
        let mut there = other.clone();
        let same_claims = app.claims.len() == other.claims.len()
            && app
                .claims
                .iter()
                .zip(&other.claims)
                .all(|(a, b)| (name(self, a), &a.host, &a.path) == (name(new, b), &b.host, &b.path));
        there.claims.clone_from(&app.claims);
        same_claims && *app == there
    }
}
