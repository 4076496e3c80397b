//! One line of comma-separated values, as in `type=local,"dest=a,b"`.

/// The fields of a line. A field in double quotes may hold commas; two quotes in it are one.
pub(crate) fn fields(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        let mut field = String::new();
        if letters.next_if_eq(&'"').is_some() {
            loop {
                match letters.next() {
                    Some('"') if letters.next_if_eq(&'"').is_some() => field.push('"'),
                    Some('"') => break,
                    Some(letter) => field.push(letter),
                    None => return Err(format!("a quote in `{line}` does not end")),
                }
            }
            if letters.peek().is_some_and(|next| *next != ',') {
                return Err(format!("text follows a quoted field in `{line}`"));
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| *letter != ',') {
                if letter == '"' {
                    return Err(format!("a quote stands in the middle of a field in `{line}`"));
                }
                field.push(letter);
            }
        }
        fields.push(field);
        if letters.next().is_none() {
            return Ok(fields);
        }
    }
}

/// A field, in quotes if it needs them.
pub(crate) fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) || field.starts_with(' ') {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas_together() {
        let read = |line: &str| fields(line).map(|fields| fields.join("|"));
        assert_eq!(read("type=local,dest=x"), Ok("type=local|dest=x".to_owned()));
        assert_eq!(read("\"a,\"\"b\",c,"), Ok("a,\"b|c|".to_owned()));
        assert_eq!(read(""), Ok(String::new()));
        assert!(read("\"a").is_err());
        assert!(read("a\"b").is_err());
        assert!(read("\"a\"b").is_err());
    }

    proptest::proptest! {
        #[test]
        fn what_was_quoted_comes_back(parts in proptest::collection::vec("[a-c,\" \n]{0,6}", 1..5)) {
            let line = parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(",");
            proptest::prop_assert_eq!(fields(&line).unwrap(), parts);
        }
    }
}
