//! Chance that can be had again: everything random here comes from a number that is shown.

/// A source of numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    /// With this seed, or the one of `TUG_LOST_SEED`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: number("TUG_LOST_SEED").unwrap_or(seed) }
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Yes, this many times of a hundred.
    pub(crate) fn percent(&mut self, often: u64) -> bool {
        self.below(100) < often
    }

    /// One of several things.
    pub(crate) fn of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[usize::try_from(self.below(things.len() as u64)).unwrap()]
    }
}

/// How many rounds a test makes.
pub(crate) fn rounds(few: u64) -> u64 {
    number("TUG_LOST_ROUNDS").unwrap_or(few)
}

/// Whether somebody has asked for a long run.
pub(crate) fn is_long() -> bool {
    number("TUG_LOST_ROUNDS").is_some()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{variable}={text}` is no number")))
}
