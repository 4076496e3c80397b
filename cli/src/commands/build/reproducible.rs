//! `--check-reproducible`: builds a second time, without the cache and without a trace in it, and says what came out
//! differently.

use std::fmt::Write;

use serde_json::{Value, json};
use tug_builder::{Built, Comparison, DifferentLayer};
use tug_layer_store::{Aspect, Store};
use tug_oci::{Descriptor, Platform};

use crate::error::CommandError;
use crate::human;

/// How to report it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// What two builds came to, for each platform.
pub(super) struct Report {
    images: Vec<Compared>,
    has_epoch: bool,
}

struct Compared {
    platform: Platform,
    descriptors: (Descriptor, Descriptor),
    comparison: Comparison,
}

impl Report {
    /// Compares what two builds made. `has_epoch` says whether everything new was given one time.
    pub(super) fn of(
        store: &Store,
        platforms: &[Platform],
        (first, second): (&[Built], &[Built]),
        has_epoch: bool,
    ) -> Result<Self, CommandError> {
        let mut images = Vec::new();
        for ((platform, first), second) in platforms.iter().zip(first).zip(second) {
            let image = |built: &Built| store.image(&built.descriptor, platform);
            let comparison = Comparison::of(store, &image(first)?, &image(second)?)?;
            let descriptors = (first.descriptor.clone(), second.descriptor.clone());
            images.push(Compared { platform: platform.clone(), descriptors, comparison });
        }
        Ok(Self { images, has_epoch })
    }

    /// Whether both builds made the same.
    pub(super) fn is_same(&self) -> bool {
        self.images.iter().all(|image| image.comparison.is_same())
    }

    /// The report, with a line break at its end.
    pub(super) fn text(&self, format: ReportFormat) -> String {
        match format {
            ReportFormat::Json => format!("{:#}\n", self.json()),
            ReportFormat::Text => self.lines(),
        }
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        for image in &self.images {
            let Compared { platform, descriptors, comparison } = image;
            if comparison.is_same() {
                let layers = human::counted(comparison.counts.0, "layer");
                let digest = &descriptors.0.digest;
                text += &format!("reproducible: {platform} {digest} ({layers})\n");
                continue;
            }
            text +=
                &format!("not reproducible: {platform} {} {}\n", descriptors.0.digest, descriptors.1.digest);
            if comparison.counts.0 != comparison.counts.1 {
                text += &format!("layers: {} and {}\n", comparison.counts.0, comparison.counts.1);
            }
            for layer in &comparison.layers {
                text += &layer_lines(layer);
            }
            if !comparison.fields.is_empty() {
                text += "config\n";
            }
            for field in &comparison.fields {
                let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
                text += &format!("  {}: {} and {}\n", field.name, value(&field.first), value(&field.second));
            }
        }
        if !self.is_same() && !self.has_epoch {
            text += "\nhint: without `SOURCE_DATE_EPOCH` or `--timestamp`, everything new has the time of its build\n";
        }
        text
    }

    fn json(&self) -> Value {
        let images = self.images.iter().map(|image| {
            let fields = image.comparison.fields.iter();
            let fields = fields
                .map(|field| json!({ "field": field.name, "first": field.first, "second": field.second }));
            json!({
                "platform": image.platform.to_string(),
                "reproducible": image.comparison.is_same(),
                "digests": [image.descriptors.0.digest, image.descriptors.1.digest],
                "layerCounts": [image.comparison.counts.0, image.comparison.counts.1],
                "layers": image.comparison.layers.iter().map(layer_json).collect::<Vec<_>>(),
                "config": fields.collect::<Vec<_>>(),
            })
        });
        let images: Vec<Value> = images.collect();
        json!({ "reproducible": self.is_same(), "sourceDateEpoch": self.has_epoch, "images": images })
    }
}

fn layer_lines(layer: &DifferentLayer) -> String {
    let made_by = human::one_line(&layer.made_by);
    let mut text =
        format!("layer {}: {}\n", layer.number, if made_by.is_empty() { "of the base" } else { &made_by });
    let Some(difference) = &layer.difference else {
        return text + "  the same files in another tar\n";
    };
    let more = match difference.count - 1 {
        0 => String::new(),
        1 => " (and 1 more path)".to_owned(),
        count => format!(" (and {count} more paths)"),
    };
    text += &format!("  /{}{more}\n", human::one_line(&difference.path));
    for aspect in &difference.aspects {
        text += &aspect_lines(aspect);
    }
    text
}

fn aspect_lines(aspect: &Aspect) -> String {
    let time = |seconds: &i64| {
        jiff::Timestamp::from_second(*seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
    };
    let line = match aspect {
        Aspect::OnlyInFirst => "only made by the first build".to_owned(),
        Aspect::OnlyInSecond => "only made by the second build".to_owned(),
        Aspect::Kind(first, second) => format!("{first} and {second}"),
        Aspect::Mode(first, second) => format!("mode: {first:04o} and {second:04o}"),
        Aspect::Owner(first, second) => {
            format!("owner: {}:{} and {}:{}", first.0, first.1, second.0, second.1)
        }
        Aspect::Mtime(first, second) => format!("modified: {} and {}", time(first), time(second)),
        Aspect::Size(first, second) => format!("size: {first} and {second} bytes"),
        Aspect::Target(first, second) => {
            format!("leads to: `{}` and `{}`", human::one_line(first), human::one_line(second))
        }
        Aspect::Attribute(name) => format!("attribute: {}", human::one_line(name)),
        Aspect::Content { offset, first, second, start } => {
            let windows = hex_lines(first, *start) + &hex_lines(second, *start);
            return format!("    content: byte {offset} is the first that differs\n{windows}");
        }
        _ => "in some other way".to_owned(),
    };
    format!("    {line}\n")
}

/// `      00000008  62 75 69 6c 74  |built|`
fn hex_lines(bytes: &[u8], start: u64) -> String {
    let (mut hex, mut letters) = (String::new(), String::new());
    for byte in bytes {
        let _ = write!(hex, "{byte:02x} ");
        letters.push(if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' });
    }
    format!("      {start:08x}  {hex} |{letters}|\n")
}

fn layer_json(layer: &DifferentLayer) -> Value {
    let difference = layer.difference.as_ref();
    let aspects = difference.map(|difference| difference.aspects.iter().map(aspect_json).collect::<Vec<_>>());
    json!({
        "layer": layer.number,
        "madeBy": layer.made_by,
        "diffIds": [layer.diff_ids.0.to_string(), layer.diff_ids.1.to_string()],
        "path": difference.map(|difference| format!("/{}", difference.path)),
        "paths": difference.map_or(0, |difference| difference.count),
        "aspects": aspects.unwrap_or_default(),
    })
}

fn aspect_json(aspect: &Aspect) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let pair =
        |what: &str, first: Value, second: Value| json!({ "what": what, "first": first, "second": second });
    match aspect {
        Aspect::OnlyInFirst => pair("exists", true.into(), false.into()),
        Aspect::OnlyInSecond => pair("exists", false.into(), true.into()),
        Aspect::Kind(first, second) => pair("kind", (*first).into(), (*second).into()),
        Aspect::Mode(first, second) => {
            pair("mode", format!("{first:04o}").into(), format!("{second:04o}").into())
        }
        Aspect::Owner(first, second) => pair("owner", json!([first.0, first.1]), json!([second.0, second.1])),
        Aspect::Mtime(first, second) => pair("modified", (*first).into(), (*second).into()),
        Aspect::Size(first, second) => pair("size", (*first).into(), (*second).into()),
        Aspect::Target(first, second) => pair("target", first.as_str().into(), second.as_str().into()),
        Aspect::Attribute(name) => json!({ "what": "attribute", "name": name }),
        Aspect::Content { offset, first, second, start } => json!({
            "what": "content", "offset": offset, "start": start, "first": hex(first), "second": hex(second),
        }),
        _ => json!({ "what": "other" }),
    }
}

#[cfg(test)]
mod tests {
    use tug_builder::DifferentField;
    use tug_layer_store::LayerDifference;
    use tug_oci::{DiffId, Digest, media_type};

    use super::*;

    fn report(comparison: Comparison, has_epoch: bool) -> Report {
        let descriptor = |text: &str| {
            let digest = Digest::of(text.as_bytes());
            Descriptor::new(media_type::OCI_MANIFEST, digest, 1)
        };
        let descriptors = (descriptor("first"), descriptor("second"));
        let platform = Platform::linux("amd64");
        Report { images: vec![Compared { platform, descriptors, comparison }], has_epoch }
    }

    fn different() -> Comparison {
        let diff_id = |text: &str| DiffId::new(Digest::of(text.as_bytes()));
        let aspects = vec![
            Aspect::Size(20, 21),
            Aspect::Content {
                offset: 11,
                first: b"12:00\n".to_vec(),
                second: b"12:001\n".to_vec(),
                start: 6,
            },
            Aspect::Mode(0o644, 0o600),
            Aspect::Owner((0, 0), (1, 2)),
            Aspect::Mtime(0, 1_700_000_000),
        ];
        Comparison {
            layers: vec![DifferentLayer {
                number: 2,
                made_by: "RUN date > /built # buildkit".to_owned(),
                diff_ids: (diff_id("a"), diff_id("b")),
                difference: Some(LayerDifference { path: "built".to_owned(), aspects, count: 3 }),
            }],
            counts: (3, 3),
            fields: vec![DifferentField {
                name: "created".to_owned(),
                first: Some("\"1\"".to_owned()),
                second: None,
            }],
        }
    }

    #[test]
    fn the_report_names_the_first_file_and_byte_of_each_layer() {
        insta::assert_snapshot!(report(different(), false).text(ReportFormat::Text), @r#"
        not reproducible: linux/amd64 sha256:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e sha256:16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4
        layer 2: RUN date > /built # buildkit
          /built (and 2 more paths)
            size: 20 and 21 bytes
            content: byte 11 is the first that differs
              00000006  31 32 3a 30 30 0a  |12:00.|
              00000006  31 32 3a 30 30 31 0a  |12:001.|
            mode: 0644 and 0600
            owner: 0:0 and 1:2
            modified: 1970-01-01T00:00:00Z and 2023-11-14T22:13:20Z
        config
          created: "1" and nothing

        hint: without `SOURCE_DATE_EPOCH` or `--timestamp`, everything new has the time of its build
        "#);
        let same = Comparison { counts: (3, 3), ..Comparison::default() };
        assert_eq!(
            report(same, true).text(ReportFormat::Text),
            "reproducible: linux/amd64 \
             sha256:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e (3 layers)\n"
        );
    }

    #[test]
    fn programs_get_the_same_as_json() {
        let report: Value =
            serde_json::from_str(&report(different(), true).text(ReportFormat::Json)).unwrap();
        assert_eq!((&report["reproducible"], &report["sourceDateEpoch"]), (&false.into(), &true.into()));
        let image = &report["images"][0];
        assert_eq!((&image["platform"], &image["layerCounts"]), (&"linux/amd64".into(), &json!([3, 3])));
        assert_eq!(image["config"], json!([{ "field": "created", "first": "\"1\"", "second": null }]));
        let layer = &image["layers"][0];
        assert_eq!(
            (&layer["layer"], &layer["path"], &layer["paths"]),
            (&2.into(), &"/built".into(), &3.into())
        );
        assert_eq!(
            layer["aspects"],
            json!([
                { "what": "size", "first": 20, "second": 21 },
                { "what": "content", "offset": 11, "start": 6, "first": "31323a30300a", "second": "31323a3030310a" },
                { "what": "mode", "first": "0644", "second": "0600" },
                { "what": "owner", "first": [0, 0], "second": [1, 2] },
                { "what": "modified", "first": 0, "second": 1_700_000_000 },
            ])
        );
    }
}
