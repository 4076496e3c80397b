//! `RUN --mount=type=…,key=value,…`
//!
//! Fields are separated by commas; a field in double quotes may hold commas, and `""` for a quote. Keys count
//! in any case. Which field belongs to which type:
//!
//! | field                    | bind | cache | tmpfs | secret      | ssh |
//! | ------------------------ | ---- | ----- | ----- | ----------- | --- |
//! | `target`                 | yes  | yes   | yes   | yes         | yes |
//! | `source`                 | yes  | yes   | –     | same as id  | no  |
//! | `from`                   | yes  | yes   | –     | no          | –   |
//! | `readonly` `readwrite`   | yes  | yes   | yes   | –           | –   |
//! | `id`                     | –    | yes   | –     | yes         | yes |
//! | `sharing`                | no   | yes   | no    | no          | no  |
//! | `mode` `uid` `gid`       | no   | yes   | no    | yes         | yes |
//! | `required`               | no   | no    | no    | yes         | yes |
//! | `env`                    | –    | –     | –     | yes         | –   |
//! | `size`                   | no   | no    | yes   | no          | no  |
//!
//! "no" is an error, "–" has no effect. Podman knows `U` and `chown` as well, which give what is written to the user of
//! the step, and `z`, `Z` and `relabel`, which have no effect.

use std::ops::Range;

use super::flags::{Unquoted, one_of};
use super::suggest::closest;
use super::{check_word, scalar};
use crate::{
    BindMount, CacheMount, Escape, ExpandError, Mount, MountField, MountSpec, ParseError, ParseErrorKind,
    SecretMount, Sharing, Span, SshMount, TmpfsMount, Word, expand,
};

/// Every spelling of every key, and the key it stands for.
const KEYS: [(&str, &str); 23] = [
    ("type", "type"),
    ("from", "from"),
    ("source", "source"),
    ("src", "source"),
    ("target", "target"),
    ("dst", "target"),
    ("destination", "target"),
    ("readonly", "readonly"),
    ("ro", "readonly"),
    ("readwrite", "readwrite"),
    ("rw", "readwrite"),
    ("id", "id"),
    ("sharing", "sharing"),
    ("mode", "mode"),
    ("uid", "uid"),
    ("gid", "gid"),
    ("required", "required"),
    ("env", "env"),
    ("size", "size"),
    ("z", "relabel"),
    ("relabel", "relabel"),
    ("u", "chown"),
    ("chown", "chown"),
];

/// These stand alone, or with a boolean value.
const SWITCHES: [&str; 5] = ["readonly", "readwrite", "required", "relabel", "chown"];

/// Reads the fields. What they mean is checked too, as far as no variable is in them.
pub(super) fn parse(
    text: &Unquoted,
    range: Range<usize>,
    span: Span,
    escape: Escape,
) -> Result<MountSpec, ParseError> {
    let fields = split(text, range, span)?.into_iter().map(|field| parse_field(text, field));
    let spec = MountSpec { fields: fields.collect::<Result<_, _>>()?, span };
    for value in spec.fields.iter().filter_map(|field| field.value.as_ref()) {
        check_word(value, escape)?;
    }
    let has_variables =
        |field: &MountField| field.value.as_ref().is_some_and(|value| value.raw.contains('$'));
    if !spec.fields.iter().any(has_variables) {
        resolve(&spec, &|value| Ok(expand(value, escape, &|_| None)?.text))?;
    }
    Ok(spec)
}

/// A field without quotes: the range of its characters in the text. Quoted fields are rare, so they are not
/// split up.
fn split(text: &Unquoted, range: Range<usize>, span: Span) -> Result<Vec<Range<usize>>, ParseError> {
    let value = &text.text[range.clone()];
    if value.trim().is_empty() {
        let kind = ParseErrorKind::FlagWithoutValue { flag: "mount".to_owned() };
        return Err(ParseError::new(span, kind, "expected `--mount=type=…`"));
    }
    let mut fields = Vec::new();
    let mut start = range.start;
    let mut quoted = false;
    for (at, character) in value.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                fields.push(start..range.start + at);
                start = range.start + at + 1;
            }
            _ => {}
        }
    }
    fields.push(start..range.end);
    Ok(fields)
}

fn parse_field(text: &Unquoted, range: Range<usize>) -> Result<MountField, ParseError> {
    let field = text.word(range.clone());
    let unquoted = field.raw.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
    let (raw, start) = match unquoted {
        Some(inner) => (inner.replace("\"\"", "\""), None),
        None => (field.raw.clone(), Some(range.start)),
    };
    let equals = raw.find('=');
    let written = &raw[..equals.unwrap_or(raw.len())];
    let key_span = start.map_or(field.span, |start| text.span(start..start + written.len()));
    if raw.is_empty() {
        let kind = ParseErrorKind::BadMount { problem: "a field of a mount is empty".to_owned() };
        return Err(ParseError::new(field.span, kind, "expected a field between the commas"));
    }
    let known = KEYS.iter().find(|(spelling, _)| written.eq_ignore_ascii_case(spelling));
    let Some(&(_, key)) = known else {
        let kind = ParseErrorKind::UnknownMountField { key: written.to_owned() };
        let spellings: Vec<&str> = KEYS.iter().map(|&(spelling, _)| spelling).collect();
        let error = ParseError::new(key_span, kind, "expected a field such as `type`, `target` or `source`");
        return Err(error.with_suggestion(closest(written, &spellings)));
    };
    let value = equals.map(|equals| {
        let value = &raw[equals + 1..];
        let span = start.map_or(field.span, |start| text.span(start + equals + 1..range.end));
        Word::new(value, span)
    });
    if value.is_none() && !SWITCHES.contains(&key) {
        let kind = ParseErrorKind::MountFieldWithoutValue { key: key.to_owned() };
        return Err(ParseError::new(field.span, kind, format!("expected `{written}=…`")));
    }
    if let ("from", Some(value)) = (key, &value)
        && value.raw.find('$').is_some_and(|dollar| dollar + 1 < value.raw.len())
    {
        let error =
            bad_value("from", &value.raw, value.span, "expected a stage, a named context or an image");
        return Err(
            error.with_help("variables are not replaced here; give it a name with `FROM … AS name` above")
        );
    }
    Ok(MountField { key, value, span: field.span })
}

/// The fields with their variables replaced.
struct Fields<'a> {
    spec: &'a MountSpec,
    values: Vec<(&'static str, Option<String>, Span)>,
    mount_type: String,
}

/// Replaces the variables and says which mount it is.
pub(crate) fn resolve(
    spec: &MountSpec,
    expand: &dyn Fn(&str) -> Result<String, ExpandError>,
) -> Result<Mount, ParseError> {
    let mut values = Vec::new();
    for field in &spec.fields {
        let value = field.value.as_ref().map(|value| expand(&value.raw).map_err(|error| error.at(value)));
        let span = field.value.as_ref().map_or(field.span, |value| value.span);
        values.push((field.key, value.transpose()?, span));
    }
    let mut fields = Fields { spec, values, mount_type: "bind".to_owned() };
    if let Some((value, span)) = fields.text("type") {
        let types = ["bind", "cache", "tmpfs", "secret", "ssh"];
        fields.mount_type = value.to_ascii_lowercase();
        if !types.contains(&fields.mount_type.as_str()) {
            let error = bad_value("type", &value, span, format!("expected {}", one_of(&types, "")));
            return Err(error.with_suggestion(closest(&value, &types)));
        }
    }
    match fields.mount_type.as_str() {
        "bind" => fields.bind(),
        "cache" => fields.cache(),
        "tmpfs" => fields.tmpfs(),
        "secret" => fields.secret(),
        _ => fields.ssh(),
    }
}

impl Fields<'_> {
    fn bind(&self) -> Result<Mount, ParseError> {
        self.refuse(&["sharing", "mode", "uid", "gid", "required", "size"])?;
        Ok(Mount::Bind(BindMount {
            target: self.plain("target"),
            from: self.plain("from"),
            source: self.plain("source"),
            writable: self.writable(false)?,
            chown: self.chown()?,
        }))
    }

    fn cache(&self) -> Result<Mount, ParseError> {
        self.refuse(&["required", "size"])?;
        Ok(Mount::Cache(CacheMount {
            id: self.plain("id"),
            target: self.plain("target"),
            writable: self.writable(true)?,
            chown: self.chown()?,
            sharing: self.sharing()?,
            from: self.plain("from"),
            source: self.plain("source"),
            mode: self.number("mode", scalar::octal, "expected octal digits")?.unwrap_or(0o755),
            uid: self.number("uid", scalar::decimal, "expected a number")?.unwrap_or(0),
            gid: self.number("gid", scalar::decimal, "expected a number")?.unwrap_or(0),
        }))
    }

    fn tmpfs(&self) -> Result<Mount, ParseError> {
        self.refuse(&["sharing", "mode", "uid", "gid", "required"])?;
        Ok(Mount::Tmpfs(TmpfsMount {
            target: self.plain("target"),
            size: self.number("size", scalar::size, "expected a size such as `128m`")?,
            writable: self.writable(true)?,
        }))
    }

    fn secret(&self) -> Result<Mount, ParseError> {
        self.refuse(&["sharing", "size", "from"])?;
        self.writable(false)?;
        let (source, id, target, env) =
            (self.plain("source"), self.plain("id"), self.plain("target"), self.plain("env"));
        if source.is_some() && id.is_some() {
            return Err(self.bad("a secret has either `id` or `source`, which mean the same"));
        }
        let base = |path: &str| path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let Some(id) = id.or(source).or_else(|| target.as_deref().map(base)).filter(|id| !id.is_empty())
        else {
            return Err(self.bad("a secret needs `id` or `target`"));
        };
        let target = match target {
            None if env.is_none() => Some(format!("/run/secrets/{}", base(&id))),
            other => other,
        };
        Ok(Mount::Secret(SecretMount {
            id,
            target,
            env,
            required: self.switch("required")?.unwrap_or(false),
            mode: self.number("mode", scalar::octal, "expected octal digits")?.unwrap_or(0o400),
            uid: self.number("uid", scalar::decimal, "expected a number")?.unwrap_or(0),
            gid: self.number("gid", scalar::decimal, "expected a number")?.unwrap_or(0),
        }))
    }

    fn ssh(&self) -> Result<Mount, ParseError> {
        self.refuse(&["sharing", "size", "source"])?;
        self.writable(false)?;
        Ok(Mount::Ssh(SshMount {
            id: self.plain("id").unwrap_or_else(|| "default".to_owned()),
            target: self.plain("target"),
            required: self.switch("required")?.unwrap_or(false),
            mode: self.number("mode", scalar::octal, "expected octal digits")?.unwrap_or(0o600),
            uid: self.number("uid", scalar::decimal, "expected a number")?.unwrap_or(0),
            gid: self.number("gid", scalar::decimal, "expected a number")?.unwrap_or(0),
        }))
    }

    fn refuse(&self, keys: &[&str]) -> Result<(), ParseError> {
        let foreign = self.spec.fields.iter().find(|field| keys.contains(&field.key));
        foreign.map_or(Ok(()), |field| {
            let kind = ParseErrorKind::ForeignMountField {
                mount_type: self.mount_type.clone(),
                key: field.key.to_owned(),
            };
            let error = ParseError::new(field.span, kind, "has no meaning here");
            Err(match self.spec.fields.iter().any(|field| field.key == "type") {
                true => error,
                false => error.with_help("without `type=…` a mount is of type `bind`"),
            })
        })
    }

    /// The last value of a field, with its place.
    fn text(&self, key: &str) -> Option<(String, Span)> {
        let found = self.values.iter().rev().find(|(name, value, _)| *name == key && value.is_some());
        found.and_then(|(_, value, span)| value.clone().map(|value| (value, *span)))
    }

    /// The last value of a field; an empty one counts as none.
    fn plain(&self, key: &str) -> Option<String> {
        self.text(key).map(|(value, _)| value).filter(|value| !value.is_empty())
    }

    fn number<T>(
        &self,
        key: &str,
        parse: fn(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, ParseError> {
        let Some((value, span)) = self.text(key) else { return Ok(None) };
        parse(&value).map(Some).ok_or_else(|| bad_value(key, &value, span, expected))
    }

    fn switch(&self, key: &str) -> Result<Option<bool>, ParseError> {
        let Some((_, value, span)) = self.values.iter().rev().find(|(name, ..)| *name == key) else {
            return Ok(None);
        };
        let Some(value) = value else { return Ok(Some(true)) };
        scalar::boolean(value)
            .map(Some)
            .ok_or_else(|| bad_value(key, value, *span, "expected `true` or `false`"))
    }

    /// The last of `readonly` and `readwrite` counts.
    fn writable(&self, default: bool) -> Result<bool, ParseError> {
        let (readonly, readwrite) = (self.switch("readonly")?, self.switch("readwrite")?);
        let last = self.spec.fields.iter().rev().find(|field| matches!(field.key, "readonly" | "readwrite"));
        Ok(match last.map(|field| field.key) {
            Some("readonly") => !readonly.unwrap_or(true),
            Some(_) => readwrite.unwrap_or(true),
            None => default,
        })
    }

    /// Whether podman's `U` is asked for.
    fn chown(&self) -> Result<bool, ParseError> {
        Ok(self.switch("chown")?.unwrap_or(false))
    }

    fn sharing(&self) -> Result<Sharing, ParseError> {
        let Some((value, span)) = self.text("sharing") else { return Ok(Sharing::default()) };
        match value.to_ascii_lowercase().as_str() {
            "shared" => Ok(Sharing::Shared),
            "private" => Ok(Sharing::Private),
            "locked" => Ok(Sharing::Locked),
            _ => {
                let names = ["shared", "private", "locked"];
                let error = bad_value("sharing", &value, span, format!("expected {}", one_of(&names, "")));
                Err(error.with_suggestion(closest(&value, &names)))
            }
        }
    }

    fn bad(&self, problem: &str) -> ParseError {
        ParseError::new(self.spec.span, ParseErrorKind::BadMount { problem: problem.to_owned() }, "")
    }
}

fn bad_value(key: &str, value: &str, span: Span, expected: impl Into<String>) -> ParseError {
    let kind = ParseErrorKind::BadMountValue { key: key.to_owned(), value: value.to_owned() };
    ParseError::new(span, kind, expected)
}
