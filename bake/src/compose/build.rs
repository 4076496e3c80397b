//! `build` of a service as a target.

use std::collections::BTreeMap;

use super::interpolate::Variables;
use super::node::{Content, Node};
use super::wrong;
use crate::entry::{Attest, Entry, Secret, Ssh};
use crate::error::Result;
use crate::suggest;
use crate::target::{Target, once};

const KNOWN: [&str; 25] = [
    "additional_contexts",
    "args",
    "cache_from",
    "cache_to",
    "context",
    "dockerfile",
    "dockerfile_inline",
    "entitlements",
    "extra_hosts",
    "isolation",
    "labels",
    "network",
    "no_cache",
    "no_cache_filter",
    "platforms",
    "privileged",
    "provenance",
    "pull",
    "sbom",
    "secrets",
    "shm_size",
    "ssh",
    "tags",
    "target",
    "ulimits",
];

/// The target that a service is.
pub(super) fn target(
    service: &Node,
    build: &Node,
    secrets: &Node,
    variables: &Variables<'_>,
) -> Result<Target> {
    let mut target = Target::default();
    match &build.content {
        Content::Scalar(context) => {
            target.context = Some(context.clone()).filter(|context| !context.is_empty());
        }
        Content::Map(_) => fill(&mut target, service, build, secrets, variables)?,
        _ => return Err(wrong(build, format!("`build` is a folder or a map, not {}", build.kind()))),
    }
    if target.tags.as_ref().is_none_or(Vec::is_empty) {
        target.tags = service.text_of("image")?.map(|image| vec![image]);
    }
    Ok(target)
}

fn fill(
    target: &mut Target,
    service: &Node,
    build: &Node,
    secrets: &Node,
    variables: &Variables<'_>,
) -> Result<()> {
    for (key, _) in build.fields() {
        if !KNOWN.contains(&key.text.as_str()) && !key.text.starts_with("x-") {
            let problem = crate::Problem::at(key.place, format!("`build` has no field `{}`", key.text));
            return Err(problem.meant(suggest::closest(&key.text, KNOWN)));
        }
    }
    target.context = build.text_of("context")?;
    target.contexts = contexts(build, "additional_contexts")?;
    target.dockerfile = build.text_of("dockerfile")?;
    target.dockerfile_inline = build.text_of("dockerfile_inline")?;
    target.stage = build.text_of("target")?;
    target.network = build.text_of("network")?;
    target.tags = build.texts_of("tags")?;
    target.platforms = build.texts_of("platforms")?;
    target.entitlements = build.texts_of("entitlements")?;
    target.no_cache_filter = build.texts_of("no_cache_filter")?;
    target.no_cache = build.truth_of("no_cache")?.filter(|value| *value);
    target.pull = build.truth_of("pull")?.filter(|value| *value);
    target.args = args(service, build, variables)?;
    target.labels = build
        .pairs_of("labels")?
        .into_iter()
        .map(|(name, value)| (name, value.unwrap_or_default()))
        .collect();
    target.cache_from = entries(build, "cache_from")?;
    target.cache_to = entries(build, "cache_to")?;
    target.extra_hosts = extra_hosts(build)?;
    target.ssh = ssh(build)?;
    target.secrets = service_secrets(build, secrets)?;
    target.shm_size = shm_size(build)?;
    target.ulimits = ulimits(build)?;
    for kind in ["sbom", "provenance"] {
        if let Some(text) = build.text_of(kind)? {
            let attest = Attest::short(kind, &text).map_err(|error| wrong(build, error))?;
            target.attest.get_or_insert_default().push(attest);
        }
    }
    match build.field("x-bake").filter(|more| !more.is_null()) {
        Some(more) => x_bake(target, more),
        None => Ok(()),
    }
}

/// Values that are not given come from the environment of the service, else from ours.
fn args(service: &Node, build: &Node, variables: &Variables<'_>) -> Result<BTreeMap<String, String>> {
    let environment = service.pairs_of("environment").unwrap_or_default();
    let given = build.pairs_of("args")?.into_iter().filter_map(|(name, value)| {
        let value = value
            .or_else(|| environment.get(&name).cloned().flatten())
            .or_else(|| variables.find(&name).cloned());
        Some((name, value?))
    });
    Ok(given.collect())
}

/// `service:NAME` is the result of another service.
fn contexts(build: &Node, name: &str) -> Result<BTreeMap<String, String>> {
    let pairs = build.pairs_of(name)?.into_iter().filter_map(|(name, value)| {
        let value = value?;
        let linked = value.strip_prefix("service:").or_else(|| value.strip_prefix("target:"));
        let linked = linked.map(|linked| format!("target:{}", linked.replace('.', "_")));
        Some((name, linked.unwrap_or(value)))
    });
    Ok(pairs.collect())
}

fn entries<T: Entry>(build: &Node, name: &str) -> Result<Option<Vec<T>>> {
    let Some(texts) = build.texts_of(name)? else { return Ok(None) };
    let node = build.field(name).unwrap_or(build);
    let mut all = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let entry = T::from_text(text)
            .map_err(|error| wrong(node, format!("an entry of `{name}` is wrong")).label(error))?;
        T::merge(&mut all, vec![entry]);
    }
    Ok(Some(all))
}

/// `HOST=IP` or `HOST:IP`.
fn extra_hosts(build: &Node) -> Result<BTreeMap<String, String>> {
    let Some(node) = build.field("extra_hosts") else { return Ok(BTreeMap::new()) };
    if let Content::List(values) = &node.content {
        let mut hosts: BTreeMap<String, String> = BTreeMap::new();
        for value in values {
            let text = value.text()?;
            let Some((host, address)) = text.split_once(['=', ':']) else {
                return Err(wrong(value, "a host is written `NAME=ADDRESS`"));
            };
            let known = hosts.entry(host.to_owned()).or_default();
            *known = if known.is_empty() { address.to_owned() } else { format!("{known},{address}") };
        }
        return Ok(hosts);
    }
    let each = node.fields().iter().map(|(key, value)| {
        let addresses = match &value.content {
            Content::List(values) => values.iter().map(Node::text).collect::<Result<Vec<_>>>()?.join(","),
            _ => value.text()?,
        };
        Ok((key.text.clone(), addresses))
    });
    each.collect()
}

/// `default`, `id=path`, or a map of both.
fn ssh(build: &Node) -> Result<Option<Vec<Ssh>>> {
    if build.field("ssh").is_none_or(Node::is_null) {
        return Ok(None);
    }
    let pairs = match build.field("ssh").map(|node| &node.content) {
        Some(Content::Scalar(text)) => BTreeMap::from([(text.clone(), None)]),
        _ => build.pairs_of("ssh")?,
    };
    let each = pairs
        .into_iter()
        .map(|(id, path)| Ssh { id, paths: path.filter(|path| !path.is_empty()).into_iter().collect() });
    Ok(Some(each.collect()))
}

/// Names of secrets; where they are stands at the top of the file.
fn service_secrets(build: &Node, secrets: &Node) -> Result<Option<Vec<Secret>>> {
    let Some(Content::List(values)) = build.field("secrets").map(|node| &node.content) else {
        return Ok(None);
    };
    let mut all = Vec::new();
    for value in values {
        let id = match value.field("source") {
            Some(source) => source.text()?,
            None => value.text()?,
        };
        let Some(found) = secrets.field(&id) else {
            let known = secrets.fields().iter().map(|(key, _)| key.text.as_str());
            let problem = wrong(value, format!("there is no secret `{id}`"));
            return Err(problem
                .label("secrets stand at the top of the file")
                .meant(suggest::closest(&id, known)));
        };
        if found.truth_of("external").unwrap_or(Some(true)) == Some(true) {
            return Err(wrong(value, format!("the secret `{id}` is external, nobody here knows it")));
        }
        all.push(Secret {
            source: found.text_of("file")?,
            variable: found.text_of("environment")?,
            id: Some(id),
        });
    }
    Ok(Some(all))
}

/// `64mb`, `1g`, or bytes, written as buildx writes it.
fn shm_size(build: &Node) -> Result<Option<String>> {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let Some(text) = build.text_of("shm_size")? else { return Ok(None) };
    let lower = text.to_lowercase();
    let digits = lower.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(lower.len());
    let shift = match lower[digits..].trim() {
        "" | "b" => Some(0),
        "k" | "kb" | "kib" => Some(10),
        "m" | "mb" | "mib" => Some(20),
        "g" | "gb" | "gib" => Some(30),
        "t" | "tb" | "tib" => Some(40),
        _ => None,
    };
    let number: Option<f64> = lower[..digits].parse().ok();
    let (Some(number), Some(shift)) = (number, shift) else {
        let node = build.field("shm_size").unwrap_or(build);
        return Err(wrong(node, format!("`{text}` is not a size")).help("such as `64mb`"));
    };
    let mut size = (number * f64::from(2u32).powi(shift)).trunc();
    if size <= 0.0 {
        return Ok(None);
    }
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    // Four digits that count, as Go's `%.4g`.
    let before = size.trunc().to_string().len();
    let rounded = format!("{:.*}", 4usize.saturating_sub(before), size);
    let short =
        if rounded.contains('.') { rounded.trim_end_matches('0').trim_end_matches('.') } else { &rounded };
    Ok(Some(format!("{short}{}", UNITS[unit])))
}

/// `nofile: 1024`, or `nofile: {soft: 1, hard: 2}`.
fn ulimits(build: &Node) -> Result<Option<Vec<String>>> {
    let Some(node) = build.field("ulimits").filter(|node| !node.is_null()) else { return Ok(None) };
    let each = node.fields().iter().map(|(key, value)| {
        let number = |node: Option<&Node>| -> Result<i64> {
            let node = node.ok_or_else(|| wrong(value, "`soft` and `hard` are needed"))?;
            node.text()?.parse().map_err(|_| wrong(node, "a whole number is needed here"))
        };
        let (soft, hard) = match &value.content {
            Content::Map(_) => (number(value.field("soft"))?, number(value.field("hard"))?),
            _ => (number(Some(value))?, number(Some(value))?),
        };
        Ok(format!("{}={soft}:{hard}", key.text))
    });
    each.collect::<Result<_>>().map(Some)
}

/// Fields that compose does not have; they are added to the others.
fn x_bake(target: &mut Target, more: &Node) -> Result<()> {
    const KNOWN: [&str; 11] = [
        "tags",
        "cache-from",
        "cache-to",
        "secret",
        "ssh",
        "platforms",
        "output",
        "pull",
        "no-cache",
        "no-cache-filter",
        "contexts",
    ];
    for (key, _) in more.fields() {
        if !KNOWN.contains(&key.text.as_str()) {
            let problem = crate::Problem::at(key.place, format!("`x-bake` has no field `{}`", key.text));
            return Err(problem.meant(suggest::closest(&key.text, KNOWN)));
        }
    }
    let texts = |name: &str| -> Result<Vec<String>> {
        // One text is words.
        match more.field(name).map(|node| &node.content) {
            Some(Content::Scalar(text)) => Ok(text.split_whitespace().map(str::to_owned).collect()),
            _ => Ok(more.texts_of(name)?.unwrap_or_default()),
        }
    };
    add_texts(&mut target.tags, texts("tags")?);
    add_texts(&mut target.platforms, texts("platforms")?);
    add_texts(&mut target.no_cache_filter, texts("no-cache-filter")?);
    add_entries(&mut target.cache_from, more, &texts("cache-from")?)?;
    add_entries(&mut target.cache_to, more, &texts("cache-to")?)?;
    add_entries(&mut target.secrets, more, &texts("secret")?)?;
    add_entries(&mut target.ssh, more, &texts("ssh")?)?;
    add_entries(&mut target.outputs, more, &texts("output")?)?;
    if let Some(ssh) = &mut target.ssh {
        ssh.sort_by(|one, two| (&one.id, &one.paths).cmp(&(&two.id, &two.paths)));
    }
    target.pull = more.truth_of("pull")?.or(target.pull);
    target.no_cache = more.truth_of("no-cache")?.or(target.no_cache);
    for (name, value) in contexts(more, "contexts")? {
        target.contexts.entry(name).or_insert(value);
    }
    Ok(())
}

fn add_texts(list: &mut Option<Vec<String>>, more: Vec<String>) {
    if !more.is_empty() {
        let list = list.get_or_insert_default();
        list.extend(more);
        once(list);
    }
}

fn add_entries<T: Entry>(list: &mut Option<Vec<T>>, node: &Node, more: &[String]) -> Result<()> {
    for text in more.iter().filter(|text| !text.is_empty()) {
        let entry =
            T::from_text(text).map_err(|error| wrong(node, format!("`{text}` is wrong")).label(error))?;
        T::merge(list.get_or_insert_default(), vec![entry]);
    }
    Ok(())
}
