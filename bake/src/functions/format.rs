//! `format` and `formatlist`, with the verbs of Go's `fmt`.

use super::arguments::fail;
use super::{Builtin, Failure, Outcome, Surroundings};
use crate::value::Value;

pub(super) const ALL: &[Builtin] = &[
    Builtin::many("format", 1, |arguments, _| formatted(arguments).map(Value::from)),
    Builtin::many("formatlist", 1, formatlist),
];

/// A number wider than this is a mistake.
const WIDEST: usize = 1000;

/// `%[flags][width][.precision][[index]]verb`
#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
    index: Option<usize>,
    letter: char,
}

fn formatted(arguments: &[Value]) -> Result<String, Failure> {
    let template = super::arguments::text(arguments, 0)?;
    let mut text = String::new();
    let mut letters = template.chars().peekable();
    let mut next = 1;
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        if letters.next_if_eq(&'%').is_some() {
            text.push('%');
            continue;
        }
        let verb = verb(&mut letters)?;
        let at = verb.index.unwrap_or(next);
        next = at + 1;
        let value = arguments.get(at).filter(|_| at > 0);
        let value =
            value.ok_or_else(|| fail(0, format!("there is no argument {at} for `%{}`", verb.letter)))?;
        text.push_str(&verb.write(value, at)?);
    }
    Ok(text)
}

fn verb(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Verb, Failure> {
    let mut verb = Verb::default();
    let wide = || fail(0, format!("a width is at most {WIDEST}"));
    loop {
        match letters.peek() {
            Some('-') => verb.minus = true,
            Some('+') => verb.plus = true,
            Some(' ') => verb.space = true,
            Some('0') => verb.zero = true,
            Some('#') => verb.sharp = true,
            _ => break,
        }
        letters.next();
    }
    verb.width = digits(letters).map_or(Ok(0), |width| width.ok_or_else(wide))?;
    if letters.next_if_eq(&'.').is_some() {
        verb.precision = Some(digits(letters).map_or(Ok(0), |digits| digits.ok_or_else(wide))?);
    }
    if letters.next_if_eq(&'[').is_some() {
        verb.index = digits(letters).flatten();
        if verb.index.is_none() || letters.next() != Some(']') {
            return Err(fail(0, "an index stands in brackets: `%[1]s`"));
        }
    }
    verb.letter = letters.next().ok_or_else(|| fail(0, "the text ends with `%`; write `%%`"))?;
    Ok(verb)
}

/// A number, if there is one; the inner `None` is one that is too large.
fn digits(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Option<usize>> {
    let mut digits = String::new();
    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    (!digits.is_empty()).then(|| digits.parse().ok().filter(|number| *number <= WIDEST))
}

impl Verb {
    fn write(&self, value: &Value, at: usize) -> Result<String, Failure> {
        let wrong = |what: &str| fail(at, format!("`%{}` takes {what}, not {}", self.letter, value.kind()));
        let number = || value.number().ok_or_else(|| wrong("a number"));
        let whole = || number()?.whole().ok_or_else(|| wrong("a whole number"));
        let radix = |prefix: &str, digits: fn(u128) -> String| -> Result<String, Failure> {
            let whole = whole()?;
            let prefix = if self.sharp { prefix } else { "" };
            Ok(self.number(whole < 0, prefix, &digits(whole.unsigned_abs())))
        };
        let text = match self.letter {
            'v' => match value {
                Value::Number(number) => self.signed(&number.to_string()),
                other => self.cut(&if self.sharp { other.to_json().to_string() } else { other.to_string() }),
            },
            's' => self.cut(&value.text().ok_or_else(|| wrong("text"))?),
            'q' => serde_json::Value::from(value.text().ok_or_else(|| wrong("text"))?).to_string(),
            't' => value.truth().ok_or_else(|| wrong("true or false"))?.to_string(),
            'd' => {
                let number = number()?.as_f64();
                let whole = whole().map_or_else(|_| number.trunc().to_string(), |whole| whole.to_string());
                self.signed(&whole)
            }
            'b' => radix("0b", |whole| format!("{whole:b}"))?,
            'o' => radix("0", |whole| format!("{whole:o}"))?,
            'x' if value.number().is_none() => value
                .text()
                .ok_or_else(|| wrong("a number"))?
                .bytes()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            'x' => radix("0x", |whole| format!("{whole:x}"))?,
            'X' => radix("0X", |whole| format!("{whole:X}"))?,
            'f' => self.signed(&format!("{:.*}", self.precision.unwrap_or(6), number()?.as_f64())),
            'e' | 'E' => {
                let text = exponential(number()?.as_f64(), self.precision.unwrap_or(6));
                self.signed(&if self.letter == 'E' { text.to_uppercase() } else { text })
            }
            'g' | 'G' => self.signed(&number()?.to_string()),
            other => return Err(fail(0, format!("`%{other}` is no verb of `format`"))),
        };
        Ok(self.padded(text))
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn signed(&self, text: &str) -> String {
        match text.strip_prefix('-') {
            Some(digits) => self.number(true, "", digits),
            None => self.number(false, "", text),
        }
    }

    /// With sign, prefix, and zeros up to the width.
    fn number(&self, negative: bool, prefix: &str, digits: &str) -> String {
        let sign = match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let used = sign.len() + prefix.len() + digits.len();
        let zeros = if self.zero && !self.minus { self.width.saturating_sub(used) } else { 0 };
        format!("{sign}{prefix}{}{digits}", "0".repeat(zeros))
    }

    fn padded(&self, text: String) -> String {
        let spaces = " ".repeat(self.width.saturating_sub(text.chars().count()));
        if self.minus { text + &spaces } else { spaces + &text }
    }
}

/// `1.500000e+03`, as Go writes it.
fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// Once for each element of the lists, which are of one length; what is no list stays the same.
fn formatlist(arguments: &[Value], _: &Surroundings) -> Outcome {
    let mut length = None;
    for (at, argument) in arguments.iter().enumerate().skip(1) {
        if let Value::List(values) = argument {
            if length.is_some_and(|length| length != values.len()) {
                return Err(fail(at, "the lists are not of one length"));
            }
            length = Some(values.len());
        }
    }
    let each = |row: usize| {
        let of_row = arguments.iter().map(|argument| match argument {
            Value::List(values) => values[row].clone(),
            other => other.clone(),
        });
        formatted(&of_row.collect::<Vec<_>>()).map(Value::from)
    };
    if matches!(arguments[0], Value::List(_)) {
        return Err(fail(0, "text is needed, not a list"));
    }
    (0..length.unwrap_or(1)).map(each).collect::<Result<Vec<_>, _>>().map(Value::List)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Number;

    fn call(template: &str, values: &[Value]) -> String {
        let arguments: Vec<Value> = std::iter::once(template.into()).chain(values.iter().cloned()).collect();
        formatted(&arguments).unwrap_or_else(|failure| failure.message)
    }

    #[test]
    fn verbs_write_as_in_go() {
        let number = |text| Value::Number(Number::parse(text).unwrap());
        assert_eq!(call("%s-%d 100%%", &["a".into(), number("7")]), "a-7 100%");
        assert_eq!(
            call(
                "%05d|%-4d|%+d|%4s|%.2s",
                &[number("-42"), number("7"), number("1"), "ab".into(), "abc".into()]
            ),
            "-0042|7   |+1|  ab|ab"
        );
        assert_eq!(
            call("%.2f %f %e", &[number("1.005"), number("2"), number("1500")]),
            "1.00 2.000000 1.500000e+03"
        );
        assert_eq!(
            call(
                "%x %X %#x %o %b %x",
                &[number("255"), number("255"), number("255"), number("8"), number("5"), "hi".into()]
            ),
            "ff FF 0xff 10 101 6869"
        );
        assert_eq!(
            call(
                "%v %v %v %q %t",
                &[true.into(), Value::List(vec!["a".into()]), number("1.5"), "a\"b".into(), true.into()]
            ),
            r#"true ["a"] 1.5 "a\"b" true"#
        );
        assert_eq!(call("%[2]s %[1]s", &["a".into(), "b".into()]), "b a");
        assert_eq!(call("%d", &["x".into()]), "`%d` takes a number, not a string");
        assert_eq!(call("%s", &[]), "there is no argument 1 for `%s`");
        assert_eq!(call("%z", &["x".into()]), "`%z` is no verb of `format`");
        assert_eq!(call("%", &[]), "the text ends with `%`; write `%%`");
        assert_eq!(call("%99999d", &[number("1")]), "a width is at most 1000");
    }
}
