//! The functions that templates can call.
//!
//! Those of docker (`json join lower upper title split pad truncate println`) and of Go (`and or not len index print
//! printf eq ne lt le gt ge`). Arguments are JSON values; what cannot be used is an error, never a panic.

use std::cmp::Ordering;

use serde_json::Value;

use super::TemplateError;
use super::evaluate::{is_true, text};

type Function = fn(&[Value]) -> Result<Value, String>;

const FUNCTIONS: [(&str, Function); 21] = [
    ("and", |arguments| Ok(first_or_last(arguments, |value| !is_true(value)))),
    ("eq", |arguments| {
        let (first, rest) = arguments.split_first().ok_or("needs two values")?;
        Ok(rest.iter().any(|other| same(first, other)).into())
    }),
    ("ge", |arguments| Ok(compare(arguments)?.is_ge().into())),
    ("gt", |arguments| Ok(compare(arguments)?.is_gt().into())),
    ("index", index),
    ("join", |arguments| {
        let [elements, separator] = two(arguments)?;
        let elements = match elements {
            Value::Array(elements) => elements.as_slice(),
            Value::Null => &[],
            other => return Err(format!("cannot join {}", kind(other))),
        };
        Ok(elements.iter().map(text).collect::<Vec<_>>().join(&text(separator)).into())
    }),
    ("json", |arguments| {
        let value = one(arguments)?;
        Ok(serde_json::to_string(value).map_err(|error| error.to_string())?.into())
    }),
    ("le", |arguments| Ok(compare(arguments)?.is_le().into())),
    ("len", |arguments| match one(arguments)? {
        Value::Null => Ok(0.into()),
        Value::String(text) => Ok(text.len().into()),
        Value::Array(elements) => Ok(elements.len().into()),
        Value::Object(fields) => Ok(fields.len().into()),
        other => Err(format!("cannot count {}", kind(other))),
    }),
    ("lower", |arguments| Ok(text(one(arguments)?).to_lowercase().into())),
    ("lt", |arguments| Ok(compare(arguments)?.is_lt().into())),
    ("ne", |arguments| {
        let [one, other] = two(arguments)?;
        Ok((!same(one, other)).into())
    }),
    ("not", |arguments| Ok((!is_true(one(arguments)?)).into())),
    ("or", |arguments| Ok(first_or_last(arguments, is_true))),
    ("pad", |arguments| match arguments {
        [value, before, after] => Ok(format!("{}{}{}", spaces(before)?, text(value), spaces(after)?).into()),
        _ => Err("needs a text and two numbers".to_owned()),
    }),
    ("print", |arguments| Ok(arguments.iter().map(text).collect::<String>().into())),
    ("printf", |arguments| match arguments.split_first() {
        Some((Value::String(format), rest)) => Ok(formatted(format, rest)?.into()),
        _ => Err("needs a format in quotes".to_owned()),
    }),
    ("println", |arguments| Ok((arguments.iter().map(text).collect::<Vec<_>>().join(" ") + "\n").into())),
    ("split", |arguments| {
        let [value, separator] = two(arguments)?;
        Ok(text(value).split(&text(separator)).map(Value::from).collect::<Vec<_>>().into())
    }),
    ("truncate", |arguments| {
        let [value, length] = two(arguments)?;
        let length =
            usize::try_from(length.as_u64().ok_or("needs a text and a number")?).unwrap_or(usize::MAX);
        Ok(text(value).chars().take(length).collect::<String>().into())
    }),
    ("upper", |arguments| Ok(text(one(arguments)?).to_uppercase().into())),
];

/// The widest field that `printf` and `pad` fill up.
const WIDEST: usize = 4096;

/// The names of all functions.
pub(super) fn names() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name).chain(["title"]).collect()
}

/// Whether there is a function of that name.
pub(super) fn is_known(name: &str) -> bool {
    name == "title" || FUNCTIONS.iter().any(|(known, _)| *known == name)
}

/// Calls the function `name`.
pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, TemplateError> {
    let function = match FUNCTIONS.iter().find(|(known, _)| *known == name) {
        Some((_, function)) => *function,
        None => title,
    };
    function(arguments).map_err(|problem| TemplateError::Call { function: name.to_owned(), problem })
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn title(arguments: &[Value]) -> Result<Value, String> {
    let mut starts = true;
    let mut titled = String::new();
    for letter in text(one(arguments)?).chars() {
        match starts {
            true => titled.extend(letter.to_uppercase()),
            false => titled.push(letter),
        }
        starts = letter.is_whitespace();
    }
    Ok(titled.into())
}

fn index(arguments: &[Value]) -> Result<Value, String> {
    let (value, keys) = arguments.split_first().ok_or("needs a value")?;
    let mut value = value;
    for key in keys {
        value = match (value, key) {
            (Value::Array(elements), Value::Number(at)) => {
                let found = at.as_u64().and_then(|at| elements.get(usize::try_from(at).ok()?));
                found.ok_or_else(|| format!("{at} is outside of a list of {}", elements.len()))?
            }
            // As in Go, a key that is not there gives the empty value of its kind.
            (Value::Object(fields), Value::String(name)) => match fields.get(name) {
                Some(found) => found,
                None if fields.values().all(Value::is_string) => return Ok("".into()),
                None => return Ok(Value::Null),
            },
            (Value::Null, _) => return Ok("".into()),
            (other, key) => return Err(format!("cannot look up {} in {}", kind(key), kind(other))),
        };
    }
    Ok(value.clone())
}

fn first_or_last(arguments: &[Value], wanted: impl Fn(&Value) -> bool) -> Value {
    arguments.iter().find(|value| wanted(value)).or(arguments.last()).cloned().unwrap_or(Value::Null)
}

fn one(arguments: &[Value]) -> Result<&Value, String> {
    match arguments {
        [only] => Ok(only),
        _ => Err(format!("takes one value and got {}", arguments.len())),
    }
}

fn two(arguments: &[Value]) -> Result<&[Value; 2], String> {
    arguments.try_into().map_err(|_| format!("takes two values and got {}", arguments.len()))
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

fn compare(arguments: &[Value]) -> Result<Ordering, String> {
    match two(arguments)? {
        [Value::Number(one), Value::Number(other)] => {
            one.as_f64().partial_cmp(&other.as_f64()).ok_or_else(|| "cannot order these numbers".to_owned())
        }
        [Value::String(one), Value::String(other)] => Ok(one.cmp(other)),
        [one, other] => Err(format!("cannot order {} and {}", kind(one), kind(other))),
    }
}

fn spaces(count: &Value) -> Result<String, String> {
    let count = count.as_u64().ok_or("needs numbers of spaces")?;
    Ok(" ".repeat(usize::try_from(count).unwrap_or(WIDEST).min(WIDEST)))
}

/// Go's `Sprintf` for `%s %v %d %q %t %x %f %%`, with width, `-`, `0` and precision.
fn formatted(format: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let spec = &rest[at + 1..];
        let Some(length) = spec.find(|letter: char| !"-+0123456789. ".contains(letter)) else {
            return Err("ends within a `%` verb".to_owned());
        };
        let verb = spec[length..].chars().next().unwrap_or('%');
        rest = &spec[length + verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("has no value for `%{verb}`"))?;
        out.push_str(&verb_text(verb, &spec[..length], value)?);
    }
    out.push_str(rest);
    match arguments.next() {
        None => Ok(out),
        Some(_) => Err("has more values than `%` verbs".to_owned()),
    }
}

fn verb_text(verb: char, flags: &str, value: &Value) -> Result<String, String> {
    let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
    let precision = precision.parse::<usize>().ok().map(|precision| precision.min(WIDEST));
    let number = || value.as_f64().ok_or_else(|| format!("cannot write {} with `%{verb}`", kind(value)));
    let plain = match verb {
        's' | 'v' => match precision {
            Some(length) => text(value).chars().take(length).collect(),
            None => text(value),
        },
        'q' => format!("{:?}", text(value)),
        't' | 'd' if matches!(value, Value::Bool(_) | Value::Number(_)) => text(value),
        'f' => format!("{:.*}", precision.unwrap_or(6), number()?),
        'x' => match (value, value.as_i64()) {
            (Value::String(text), _) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            (_, Some(number)) => format!("{number:x}"),
            _ => return Err(format!("cannot write {} with `%x`", kind(value))),
        },
        't' | 'd' => return Err(format!("cannot write {} with `%{verb}`", kind(value))),
        other => return Err(format!("does not know `%{other}`")),
    };
    let digits = width.trim_start_matches(['-', '+', ' ', '0']);
    let fill = digits.parse::<usize>().unwrap_or(0).min(WIDEST).saturating_sub(plain.chars().count());
    Ok(match (width.contains('-'), width.trim_start_matches(['+', ' ']).starts_with('0')) {
        (true, _) => plain + &" ".repeat(fill),
        (false, true) => "0".repeat(fill) + &plain,
        (false, false) => " ".repeat(fill) + &plain,
    })
}
