//! Ranges of addresses: `10.0.0.0/8`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::arguments::{fail, text, whole};
use super::{Builtin, Failure, Outcome, Surroundings};
use crate::value::Value;

pub(super) const ALL: &[Builtin] = &[
    Builtin::new("cidrhost", 2, 2, cidrhost),
    Builtin::new("cidrnetmask", 1, 1, |arguments, _| {
        let range = range(arguments)?;
        if range.width != 32 {
            return Err(fail(0, "only ranges of IPv4 have a mask"));
        }
        Ok(range.address(range.mask()).into())
    }),
    Builtin::new("cidrsubnet", 3, 3, |arguments, _| {
        let range = range(arguments)?;
        let number = u128::try_from(whole(arguments, 2)?).map_err(|_| fail(2, "a number is needed"))?;
        range.part(new_bits(arguments, 1)?, number).ok_or_else(|| fail(2, "the range has no such part"))
    }),
    Builtin::many("cidrsubnets", 1, cidrsubnets),
];

struct Range {
    /// How many bits an address has.
    width: u32,
    /// How many of them the range fixes.
    prefix: u32,
    start: u128,
}

impl Range {
    /// The bits that are fixed.
    fn mask(&self) -> u128 {
        let all = u128::MAX >> (128 - self.width);
        all ^ all.checked_shr(self.prefix).unwrap_or(0)
    }

    fn address(&self, bits: u128) -> String {
        match u32::try_from(bits) {
            Ok(bits) if self.width == 32 => Ipv4Addr::from(bits).to_string(),
            _ => Ipv6Addr::from(bits).to_string(),
        }
    }

    fn part(&self, bits: u32, number: u128) -> Option<Value> {
        let prefix = self.prefix.checked_add(bits).filter(|prefix| *prefix <= self.width)?;
        if number.checked_shr(bits).unwrap_or(0) != 0 {
            return None;
        }
        let start = self.start | number.checked_shl(self.width - prefix).unwrap_or(0);
        Some(format!("{}/{prefix}", self.address(start)).into())
    }
}

fn range(arguments: &[Value]) -> Result<Range, Failure> {
    let text = text(arguments, 0)?;
    let wrong = || fail(0, format!("`{text}` is not a range such as `10.0.0.0/8`"));
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    let (width, bits) = match address.parse().map_err(|_| wrong())? {
        IpAddr::V4(address) => (32, u128::from(u32::from(address))),
        IpAddr::V6(address) => (128, u128::from(address)),
    };
    let prefix = prefix.parse().ok().filter(|prefix| *prefix <= width).ok_or_else(wrong)?;
    let mut range = Range { width, prefix, start: 0 };
    range.start = bits & range.mask();
    Ok(range)
}

fn new_bits(arguments: &[Value], at: usize) -> Result<u32, Failure> {
    u32::try_from(whole(arguments, at)?).map_err(|_| fail(at, "a number of bits is needed"))
}

/// A number below zero counts from the end of the range.
fn cidrhost(arguments: &[Value], _: &Surroundings) -> Outcome {
    let range = range(arguments)?;
    let number = whole(arguments, 1)?;
    let most = (u128::MAX >> (128 - range.width)) ^ range.mask();
    let offset = match u128::try_from(number) {
        Ok(offset) => Some(offset),
        Err(_) => most.checked_sub(number.unsigned_abs() - 1),
    };
    let offset =
        offset.filter(|offset| *offset <= most).ok_or_else(|| fail(1, "the range has no such address"))?;
    Ok(range.address(range.start | offset).into())
}

/// Parts of the range, one after the other.
fn cidrsubnets(arguments: &[Value], _: &Surroundings) -> Outcome {
    let whole_range = range(arguments)?;
    let end = whole_range.start | ((u128::MAX >> (128 - whole_range.width)) ^ whole_range.mask());
    let mut next = Some(whole_range.start);
    let mut parts = Vec::new();
    for at in 1..arguments.len() {
        let prefix = whole_range.prefix.checked_add(new_bits(arguments, at)?);
        let prefix = prefix.filter(|prefix| *prefix <= whole_range.width);
        let prefix = prefix.ok_or_else(|| fail(at, "an address has not that many bits"))?;
        let size = 1u128.checked_shl(whole_range.width - prefix);
        // A part begins at a multiple of its size.
        let start = match (next, size) {
            (Some(next), Some(size)) => next.div_ceil(size).checked_mul(size),
            (next, None) => next.filter(|next| *next == 0),
            (None, _) => None,
        };
        let start = start.filter(|start| *start <= end).ok_or_else(|| fail(at, "the range is used up"))?;
        parts.push(format!("{}/{prefix}", whole_range.address(start)).into());
        next = size.and_then(|size| start.checked_add(size)).filter(|next| *next <= end);
    }
    Ok(Value::List(parts))
}

#[cfg(test)]
mod tests {
    use super::super::{find, surroundings};
    use super::*;
    use crate::value::Number;

    fn call(name: &str, range: &str, numbers: &[i128]) -> String {
        let numbers = numbers.iter().map(|number| Value::Number(Number::Whole(*number)));
        let arguments: Vec<Value> = std::iter::once(range.into()).chain(numbers).collect();
        match (find(name).unwrap().work)(&arguments, &surroundings()) {
            Ok(value) => value.to_string(),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn ranges_are_divided() {
        assert_eq!(call("cidrhost", "10.12.112.0/20", &[16]), "10.12.112.16");
        assert_eq!(call("cidrhost", "10.12.112.0/20", &[-1]), "10.12.127.255");
        assert_eq!(call("cidrhost", "fd00:fd12:3456:7890::/72", &[34]), "fd00:fd12:3456:7890::22");
        assert_eq!(call("cidrhost", "10.0.0.0/31", &[2]), "the range has no such address");
        assert_eq!(call("cidrnetmask", "172.16.0.0/12", &[]), "255.240.0.0");
        assert_eq!(call("cidrnetmask", "0.0.0.0/0", &[]), "0.0.0.0");
        assert_eq!(call("cidrsubnet", "172.16.0.0/12", &[4, 2]), "172.18.0.0/16");
        assert_eq!(call("cidrsubnet", "10.0.0.0/30", &[3, 0]), "the range has no such part");
        assert_eq!(
            call("cidrsubnets", "10.1.0.0/16", &[4, 4, 8, 4]),
            r#"["10.1.0.0/20","10.1.16.0/20","10.1.32.0/24","10.1.48.0/20"]"#
        );
        assert_eq!(call("cidrsubnets", "10.1.0.0/16", &[1, 1, 1]), "the range is used up");
        assert_eq!(call("cidrsubnets", "::/0", &[0]), r#"["::/0"]"#);
    }
}
