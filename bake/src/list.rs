//! What a definition has to offer, for people who look for it.

use crate::definition::Definition;

/// A target or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// What it is for; for a group also what is in it.
    pub description: String,
    /// Whether it is a group.
    pub group: bool,
}

impl Definition {
    /// The targets and groups, sorted by name. Those whose names begin with `_` are for the definition itself.
    pub fn offers(&self) -> Vec<Offer> {
        let targets = self.targets.iter().map(|(name, target)| Offer {
            name: name.clone(),
            description: target.description.clone().unwrap_or_default(),
            group: false,
        });
        let groups = self.groups.iter().map(|(name, group)| {
            let mut members = group.targets.clone();
            members.sort();
            let members = members.join(", ");
            let description = match group.description.as_deref().unwrap_or_default() {
                "" => members,
                text if members.is_empty() => text.to_owned(),
                text => format!("{text} ({members})"),
            };
            Offer { name: name.clone(), description, group: true }
        });
        let mut offers: Vec<Offer> =
            targets.chain(groups).filter(|offer| !offer.name.starts_with('_')).collect();
        offers.sort_by(|one, two| one.name.cmp(&two.name));
        offers
    }
}
