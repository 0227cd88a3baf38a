//! The named variants of a flag, compiled.

use crate::document::{self, Flag};
use crate::{NamedValue, StoredValue, split};

/// The named variants of one flag, and what its two sides are made of.
#[derive(Debug)]
pub(crate) struct Variants {
    named: Box<[NamedValue]>,
    /// The seed of each variant's hash, in the same order.
    seeds: Box<[u64]>,
    pub(crate) stable: Choice,
    pub(crate) new: Option<Choice>,
    /// The same as the document has it.
    pub(crate) source: Box<document::Variants>,
}

/// One variant, or a split over several.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Choice {
    /// The variant with this number.
    Variant(u32),
    /// The numbers of variants with their weights above 0, in the order of their names.
    Split(Box<[(u32, u64)]>),
}

impl Variants {
    /// The variants of a flag whose splits have this salt.
    pub(crate) fn new(source: &document::Variants, salt: &str) -> Self {
        let named = source
            .values
            .iter()
            .map(|variant| NamedValue::new(variant.name.clone(), StoredValue::new(variant.value.as_str())));
        Self {
            named: named.collect(),
            seeds: source.values.iter().map(|variant| split::seed(salt, &variant.name)).collect(),
            stable: compile(source, &source.stable),
            new: source.new.as_ref().map(|new| compile(source, new)),
            source: Box::new(source.clone()),
        }
    }

    /// The salt of a flag's splits: its own, or its flag key, so that experiments are independent of each other unless they
    /// have one salt.
    pub(crate) fn salt(flag: &Flag, section: &str) -> String {
        flag.salt.as_deref().map_or_else(|| crate::FlagKey::new(section, &*flag.name).to_string(), str::to_owned)
    }

    /// A choice as documents write it.
    pub(crate) fn to_source(&self, choice: &Choice) -> document::Choice {
        let name =
            |number: &u32| self.named.get(*number as usize).map_or_else(Box::default, |named| named.name().into());
        match choice {
            Choice::Variant(number) => document::Choice::Variant(name(number)),
            Choice::Split(portions) => {
                let portion = |(number, weight): &(u32, u64)| document::Portion {
                    variant: name(number),
                    weight: document::Weight::from_millionths(*weight),
                };
                document::Choice::Split(portions.iter().map(portion).collect())
            }
        }
    }

    /// What a rule of this flag serves.
    pub(crate) fn compile(&self, choice: &document::Choice) -> Choice {
        compile(&self.source, choice)
    }

    /// The variant that a choice gives to a key; `text` has the bytes that the split hashes, where there are some. `None` for a
    /// split without them.
    pub(crate) fn choose(&self, choice: &Choice, text: Option<&[u8]>) -> Option<&NamedValue> {
        let portions = match choice {
            Choice::Variant(number) => return self.named.get(*number as usize),
            // Of one variant, no key is needed.
            Choice::Split(portions) => portions,
        };
        if let [(number, _)] = &**portions {
            return self.named.get(*number as usize);
        }
        let text = text?;
        let mut best = None;
        for (number, weight) in portions {
            let seed = self.seeds.get(*number as usize).copied().unwrap_or_default();
            let offer = (split::cost(text, seed), *weight);
            if best.is_none_or(|(_, least)| split::is_cheaper(offer, least)) {
                best = Some((*number, offer));
            }
        }
        best.and_then(|(number, _)| self.named.get(number as usize))
    }
}

impl Choice {
    /// Whether it gives different variants to different keys.
    pub(crate) fn is_split(&self) -> bool {
        matches!(self, Self::Split(portions) if portions.len() > 1)
    }
}

/// The reader has found each name.
fn compile(source: &document::Variants, choice: &document::Choice) -> Choice {
    let number = |name: &str| {
        let place = source.values.iter().position(|variant| *variant.name == *name);
        place.and_then(|place| u32::try_from(place).ok()).unwrap_or(u32::MAX)
    };
    match choice {
        document::Choice::Variant(name) => Choice::Variant(number(name)),
        document::Choice::Split(portions) => {
            let mut weighted: Vec<_> = portions
                .iter()
                .map(|portion| (&*portion.variant, portion.weight.to_millionths()))
                .filter(|(_, weight)| *weight > 0)
                .collect();
            // The order of the text has no part in a tie.
            weighted.sort_unstable_by_key(|(name, _)| *name);
            Choice::Split(weighted.into_iter().map(|(name, weight)| (number(name), weight)).collect())
        }
    }
}
