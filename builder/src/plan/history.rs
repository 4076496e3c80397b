//! The text of each line in the history of an image, as docker writes it.

use tug_oci::Healthcheck;

use super::scope::Scope;

/// What docker's own builder adds to instructions that make a layer.
const MARK: &str = "# buildkit";

/// `RUN |1 VERSION=2 /bin/sh -c make # buildkit`.
pub(super) fn run(args: &[String], scope: &Scope) -> String {
    let values =
        scope.arguments.iter().map(|name| format!("{name}={}", scope.lookup(name).unwrap_or_default()));
    let mut words: Vec<String> = values.collect();
    if !words.is_empty() {
        words.insert(0, format!("|{}", words.len()));
    }
    words.extend(args.iter().cloned());
    format!("RUN {} {MARK}", words.join(" "))
}

/// An instruction as it is written, with the mark.
pub(super) fn marked(text: &str) -> String {
    format!("{text} {MARK}")
}

/// `CMD ["sh"]`: a JSON array whatever the form was.
pub fn command(keyword: &str, args: &[String]) -> String {
    let quoted: Vec<String> = args.iter().map(|arg| quote(arg)).collect();
    format!("{keyword} [{}]", quoted.join(" "))
}

/// `SHELL [/bin/bash -c]`, `VOLUME [/data]`.
pub fn bare_list(keyword: &str, values: &[String]) -> String {
    format!("{keyword} [{}]", values.join(" "))
}

/// `EXPOSE map[80/tcp:{}]`.
pub fn expose(ports: &[String]) -> String {
    let mut ports: Vec<String> = ports.iter().map(|port| format!("{port}:{{}}")).collect();
    ports.sort();
    ports.dedup();
    format!("EXPOSE map[{}]", ports.join(" "))
}

/// `HEALTHCHECK &{["CMD-SHELL" "true"] "30s" "0s" "0s" "0s" '\x00'}`: Go's print of its own structure.
pub fn healthcheck(check: &Healthcheck) -> String {
    let test: Vec<String> = check.test.iter().map(|word| quote(word)).collect();
    let durations = [check.interval, check.timeout, check.start_period, check.start_interval];
    let durations: Vec<String> =
        durations.iter().map(|nanos| format!("\"{}\"", go_duration(*nanos))).collect();
    let retries = match u8::try_from(check.retries) {
        Ok(7) => "'\\a'".to_owned(),
        Ok(8) => "'\\b'".to_owned(),
        Ok(9) => "'\\t'".to_owned(),
        Ok(10) => "'\\n'".to_owned(),
        Ok(11) => "'\\v'".to_owned(),
        Ok(12) => "'\\f'".to_owned(),
        Ok(13) => "'\\r'".to_owned(),
        Ok(number) if number < 0x20 || number == 0x7f => format!("'\\x{number:02x}'"),
        Ok(number @ (b'\'' | b'\\')) => format!("'\\{}'", char::from(number)),
        Ok(number) if number < 0x7f => format!("'{}'", char::from(number)),
        _ => u32::try_from(check.retries)
            .ok()
            .and_then(char::from_u32)
            .map_or_else(String::new, |c| format!("'{c}'")),
    };
    format!("HEALTHCHECK &{{[{}] {} {retries}}}", test.join(" "), durations.join(" "))
}

/// A duration as Go prints it: `1m30s`, `1.5s`, `500ms`, `0s`.
fn go_duration(nanos: i64) -> String {
    let fraction = |value: i64, unit: i64| {
        let (whole, rest) = (value / unit, value % unit);
        let digits = unit.ilog10() as usize;
        let rest = format!("{rest:0digits$}");
        match rest.trim_end_matches('0') {
            "" => whole.to_string(),
            rest => format!("{whole}.{rest}"),
        }
    };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(nanos, 1_000_000)),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = fraction(nanos % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// A string as Go's `%q` prints it.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            control if (control as u32) < 0x20 || control as u32 == 0x7f => {
                quoted.push_str(&format!("\\x{:02x}", control as u32));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_go_does() {
        for (nanos, expected) in [
            (0, "0s"),
            (30_000_000_000, "30s"),
            (90_000_000_000, "1m30s"),
            (1_500_000_000, "1.5s"),
            (500_000_000, "500ms"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(nanos), expected);
        }
    }

    #[test]
    fn arguments_are_counted_in_front_of_the_command() {
        let mut scope = Scope::default();
        let args = ["/bin/sh".to_owned(), "-c".to_owned(), "make".to_owned()];
        assert_eq!(run(&args, &scope), "RUN /bin/sh -c make # buildkit");
        scope.declare("A", Some("1"));
        scope.declare("B", None);
        assert_eq!(run(&args, &scope), "RUN |2 A=1 B= /bin/sh -c make # buildkit");
    }

    #[test]
    fn ports_are_sorted_and_each_named_once() {
        let ports = ["90/tcp".to_owned(), "80/tcp".to_owned(), "80/tcp".to_owned()];
        assert_eq!(expose(&ports), "EXPOSE map[80/tcp:{} 90/tcp:{}]");
    }
}
