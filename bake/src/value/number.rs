//! Numbers: whole ones exactly, all others as floating point.

use std::cmp::Ordering;
use std::fmt;

/// A number. Whole numbers stay exact up to 127 bits; beyond that, and after a division with a rest, it is a floating
/// point number.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A whole number.
    Whole(i128),
    /// Any other; never NaN and never infinite.
    Real(f64),
}

impl Number {
    /// A floating point number; `None` if it is not finite.
    pub fn real(value: f64) -> Option<Self> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match value {
            _ if !value.is_finite() => None,
            _ if value.fract() == 0.0 && value.abs() <= EXACT => Some(Self::Whole(value as i128)),
            _ => Some(Self::Real(value)),
        }
    }

    /// The number that is written there.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        if text.is_empty() || !plain {
            return None;
        }
        match text.parse() {
            Ok(whole) => Some(Self::Whole(whole)),
            Err(_) => Self::real(text.parse().ok()?),
        }
    }

    /// As floating point.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }

    /// As a whole number, if it is one.
    pub fn whole(self) -> Option<i128> {
        match self {
            Self::Whole(whole) => Some(whole),
            Self::Real(_) => None,
        }
    }

    /// As an index or a count.
    pub fn index(self) -> Option<usize> {
        usize::try_from(self.whole()?).ok()
    }

    pub(crate) fn add(self, other: Self) -> Option<Self> {
        self.both(other, i128::checked_add, |one, two| one + two)
    }

    pub(crate) fn subtract(self, other: Self) -> Option<Self> {
        self.both(other, i128::checked_sub, |one, two| one - two)
    }

    pub(crate) fn multiply(self, other: Self) -> Option<Self> {
        self.both(other, i128::checked_mul, |one, two| one * two)
    }

    /// `None` for a division by zero.
    pub(crate) fn divide(self, other: Self) -> Option<Self> {
        let exact = |one: i128, two: i128| match one.checked_rem(two)? {
            0 => one.checked_div(two),
            _ => None,
        };
        self.both(other, exact, |one, two| one / two)
    }

    /// The rest of a division, with the sign of the first; `None` for a division by zero.
    pub(crate) fn modulo(self, other: Self) -> Option<Self> {
        self.both(other, i128::checked_rem, |one, two| one % two)
    }

    pub(crate) fn negate(self) -> Option<Self> {
        Self::Whole(0).subtract(self)
    }

    /// With whole numbers exactly if that goes, else as floating point if that is finite.
    fn both(
        self,
        other: Self,
        exact: impl Fn(i128, i128) -> Option<i128>,
        real: impl Fn(f64, f64) -> f64,
    ) -> Option<Self> {
        if let (Self::Whole(one), Self::Whole(two)) = (self, other)
            && let Some(result) = exact(one, two)
        {
            return Some(Self::Whole(result));
        }
        Self::real(real(self.as_f64(), other.as_f64()))
    }
}

impl From<i128> for Number {
    fn from(whole: i128) -> Self {
        Self::Whole(whole)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => one.partial_cmp(two),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => write!(formatter, "{whole}"),
            Self::Real(real) => write!(formatter, "{real}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_stay_exact_and_others_are_written_shortly() {
        let number = |text| Number::parse(text).unwrap();
        assert_eq!(number("20260124112233445566").to_string(), "20260124112233445566");
        assert_eq!(number("1.50").to_string(), "1.5");
        assert_eq!(number("3.0").to_string(), "3");
        assert_eq!(number("7").divide(number("2")).unwrap().to_string(), "3.5");
        assert_eq!(number("6").divide(number("2")).unwrap().to_string(), "3");
        assert_eq!(number("6").divide(number("0")), None);
        assert_eq!(number("-7").modulo(number("3")).unwrap().to_string(), "-1");
        assert_eq!(number("6").modulo(number("0")), None);
        assert_eq!(number("1e3").to_string(), "1000");
        for odd in ["", "x", "inf", "NaN", "1 2", "0x10", "1_000"] {
            assert_eq!(Number::parse(odd), None, "{odd}");
        }
    }
}
