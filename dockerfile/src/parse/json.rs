//! JSON, just enough of it: the arrays of exec forms, and objects for
//! [`detect_syntax`](super::detect_syntax).
//!
//! What Go's decoder accepts is accepted, so that both agree on when an argument is an array and when it is
//! text.

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Text.
    String(String),
    /// Values in order.
    Array(Vec<Value>),
    /// Names and values in order.
    Object(Vec<(String, Value)>),
    /// A number, `true`, `false` or `null`.
    Other,
}

/// Deeper values are refused.
const MAX_DEPTH: usize = 100;

/// Reads a value with nothing behind it. `None` if it is not JSON.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.skip_blanks();
    reader.rest.is_empty().then_some(value)
}

/// What an argument is that may be a JSON array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Array {
    /// An array of strings.
    Strings(Vec<String>),
    /// An array with something else in it.
    Mixed,
    /// Not JSON, or not an array.
    No,
}

/// Reads an argument that may be a JSON array.
pub(crate) fn array(text: &str) -> Array {
    if !text.trim_start().starts_with('[') {
        return Array::No;
    }
    let Some(Value::Array(values)) = parse(text) else { return Array::No };
    let strings = values.into_iter().map(|value| match value {
        Value::String(text) => Some(text),
        _ => None,
    });
    strings.collect::<Option<_>>().map_or(Array::Mixed, Array::Strings)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_blanks();
        match self.rest.as_bytes().first()? {
            b'"' => self.string().map(Value::String),
            b'[' => self.members('[', ']', |reader| reader.value(depth + 1)).map(Value::Array),
            b'{' => {
                let member = |reader: &mut Self| {
                    reader.skip_blanks();
                    let name = reader.string()?;
                    reader.skip_blanks();
                    reader.take(':')?;
                    Some((name, reader.value(depth + 1)?))
                };
                self.members('{', '}', member).map(Value::Object)
            }
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number(),
        }
    }

    fn members<T>(
        &mut self,
        open: char,
        close: char,
        mut member: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.take(open)?;
        let mut members = Vec::new();
        self.skip_blanks();
        if self.take(close).is_some() {
            return Some(members);
        }
        loop {
            members.push(member(self)?);
            self.skip_blanks();
            if self.take(close).is_some() {
                return Some(members);
            }
            self.take(',')?;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take('"')?;
        let mut result = String::new();
        loop {
            let plain = self.rest.find(|next: char| matches!(next, '"' | '\\') || next < ' ')?;
            result.push_str(&self.rest[..plain]);
            self.rest = &self.rest[plain..];
            if self.take('"').is_some() {
                return Some(result);
            }
            self.take('\\')?;
            let escaped = self.rest.chars().next()?;
            self.rest = &self.rest[escaped.len_utf8()..];
            result.push(match escaped {
                '"' | '\\' | '/' => escaped,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => self.unicode()?,
                _ => return None,
            });
        }
    }

    /// The character of `\uXXXX`, or of a pair of them; half a pair is shown as `\u{fffd}`.
    fn unicode(&mut self) -> Option<char> {
        let first = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_first = self.rest;
        if let Some(rest) = self.rest.strip_prefix("\\u") {
            self.rest = rest;
            let second = self.four_digits()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.rest = after_first;
        }
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits =
            self.rest.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(digits, 16).ok()
    }

    fn number(&mut self) -> Option<Value> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let mut rest = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let whole = digits(rest);
        if whole == 0 || (whole > 1 && rest.starts_with('0')) {
            return None;
        }
        rest = &rest[whole..];
        if let Some(fraction) = rest.strip_prefix('.') {
            let length = digits(fraction);
            rest = (length > 0).then(|| &fraction[length..])?;
        }
        if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let length = digits(exponent);
            rest = (length > 0).then(|| &exponent[length..])?;
        }
        self.rest = rest;
        Some(Value::Other)
    }

    fn literal(&mut self, literal: &str) -> Option<Value> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(Value::Other)
    }

    fn take(&mut self, character: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(character)?;
        Some(())
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_an_array_of_strings_or_text_or_wrong() {
        let strings = |words: &[&str]| Array::Strings(words.iter().map(|&word| word.to_owned()).collect());

        assert_eq!(array(r#" [ "a" , "b\n\u00e4\ud83d\ude00\ud83d" ] "#), strings(&["a", "b\nä😀\u{fffd}"]));
        assert_eq!(array("[]"), strings(&[]));
        assert_eq!(array(r#"["a", 1.5e3]"#), Array::Mixed);
        assert_eq!(array(r#"["a", ["b"], null, {"c": true}]"#), Array::Mixed);
        for text in
            [r#"["a",]"#, r#"['a']"#, r#"["a"] b"#, "[ -f x ] && y", r#"["\q"]"#, "[01]", "\"a\"", "["]
        {
            assert_eq!(array(text), Array::No, "{text}");
        }
        assert_eq!(array(&"[".repeat(100_000)), Array::No);
    }
}
