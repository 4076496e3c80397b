//! Numbers, comparisons, logic.

use super::arguments::{any, fail, number, text, truth, whole};
use super::{Builtin, Failure, Outcome, Surroundings};
use crate::value::{Number, Value};

pub(super) const ALL: &[Builtin] = &[
    Builtin::new("absolute", 1, 1, |arguments, _| {
        let given = number(arguments, 0)?;
        made(if given < Number::Whole(0) { given.negate() } else { Some(given) })
    }),
    Builtin::new("add", 2, 2, |arguments, _| both(arguments, Number::add)),
    Builtin::new("and", 2, 2, |arguments, _| Ok((truth(arguments, 0)? && truth(arguments, 1)?).into())),
    Builtin::new("ceil", 1, 1, |arguments, _| rounded(arguments, f64::ceil)),
    Builtin::new("divide", 2, 2, |arguments, _| both(arguments, Number::divide)),
    Builtin::new("equal", 2, 2, |arguments, _| Ok((any(arguments, 0) == any(arguments, 1)).into())),
    Builtin::new("floor", 1, 1, |arguments, _| rounded(arguments, f64::floor)),
    Builtin::new("greaterthan", 2, 2, |arguments, _| compared(arguments, |one, two| one > two)),
    Builtin::new("greaterthanorequalto", 2, 2, |arguments, _| compared(arguments, |one, two| one >= two)),
    Builtin::new("int", 1, 1, |arguments, _| rounded(arguments, f64::trunc)),
    Builtin::new("lessthan", 2, 2, |arguments, _| compared(arguments, |one, two| one < two)),
    Builtin::new("lessthanorequalto", 2, 2, |arguments, _| compared(arguments, |one, two| one <= two)),
    Builtin::new("log", 2, 2, |arguments, _| {
        made(Number::real(number(arguments, 0)?.as_f64().ln() / number(arguments, 1)?.as_f64().ln()))
    }),
    Builtin::many("max", 1, |arguments, _| outermost(arguments, |new, best| new > best)),
    Builtin::many("min", 1, |arguments, _| outermost(arguments, |new, best| new < best)),
    Builtin::new("modulo", 2, 2, |arguments, _| both(arguments, Number::modulo)),
    Builtin::new("multiply", 2, 2, |arguments, _| both(arguments, Number::multiply)),
    Builtin::new("negate", 1, 1, |arguments, _| made(number(arguments, 0)?.negate())),
    Builtin::new("not", 1, 1, |arguments, _| Ok((!truth(arguments, 0)?).into())),
    Builtin::new("notequal", 2, 2, |arguments, _| Ok((any(arguments, 0) != any(arguments, 1)).into())),
    Builtin::new("or", 2, 2, |arguments, _| Ok((truth(arguments, 0)? || truth(arguments, 1)?).into())),
    Builtin::new("parseint", 2, 2, parseint),
    Builtin::new("pow", 2, 2, pow),
    Builtin::new("signum", 1, 1, |arguments, _| {
        let given = number(arguments, 0)?.as_f64();
        Ok(Number::Whole(i128::from(given > 0.0) - i128::from(given < 0.0)).into())
    }),
    Builtin::new("subtract", 2, 2, |arguments, _| both(arguments, Number::subtract)),
];

fn made(number: Option<Number>) -> Outcome {
    number
        .map(Value::Number)
        .ok_or_else(|| Failure { argument: None, message: "the result is no number".to_owned() })
}

fn both(arguments: &[Value], work: fn(Number, Number) -> Option<Number>) -> Outcome {
    made(work(number(arguments, 0)?, number(arguments, 1)?))
}

fn compared(arguments: &[Value], test: fn(Number, Number) -> bool) -> Outcome {
    Ok(test(number(arguments, 0)?, number(arguments, 1)?).into())
}

fn rounded(arguments: &[Value], round: fn(f64) -> f64) -> Outcome {
    match number(arguments, 0)? {
        whole @ Number::Whole(_) => Ok(whole.into()),
        Number::Real(real) => made(Number::real(round(real))),
    }
}

fn outermost(arguments: &[Value], better: fn(Number, Number) -> bool) -> Outcome {
    let mut best = number(arguments, 0)?;
    for at in 1..arguments.len() {
        let new = number(arguments, at)?;
        if better(new, best) {
            best = new;
        }
    }
    Ok(best.into())
}

fn parseint(arguments: &[Value], _: &Surroundings) -> Outcome {
    let digits = text(arguments, 0)?;
    let base = u32::try_from(whole(arguments, 1)?).ok().filter(|base| (2..=36).contains(base));
    let base = base.ok_or_else(|| fail(1, "a base from 2 to 36 is needed"))?;
    let parsed = i128::from_str_radix(&digits, base);
    parsed
        .map(|whole| Number::Whole(whole).into())
        .map_err(|_| fail(0, format!("`{digits}` is not a number of base {base}")))
}

fn pow(arguments: &[Value], _: &Surroundings) -> Outcome {
    let (base, exponent) = (number(arguments, 0)?, number(arguments, 1)?);
    let exact = match (base, exponent.whole().and_then(|exponent| u32::try_from(exponent).ok())) {
        (Number::Whole(base), Some(exponent)) => base.checked_pow(exponent),
        _ => None,
    };
    made(exact.map(Number::Whole).or_else(|| Number::real(base.as_f64().powf(exponent.as_f64()))))
}
