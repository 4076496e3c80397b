//! The history of an image whose layers change.
//!
//! Which entry of a history belongs to which layer is known by counting those that are not `empty_layer` (image-spec
//! `config.md`). Images exist whose history tells of fewer layers than there are, or of none; that is legal. What is added
//! to them must not be taken for the story of another layer, so the count is put right first.

use tug_oci::{History, ImageConfig};

/// Lets the history tell of as many layers as there are: entries without a word stand for layers that it did not tell of;
/// what it told of beyond them made no layer.
pub fn settle_history(config: &mut ImageConfig) {
    let layers = config.rootfs.diff_ids.len();
    let told = config.history.iter().filter(|entry| !entry.empty_layer).count();
    for _ in told..layers {
        config.history.push(History::default());
    }
    let surplus = config.history.iter_mut().rev().filter(|entry| !entry.empty_layer);
    surplus.take(told.saturating_sub(layers)).for_each(|entry| entry.empty_layer = true);
}

/// Notes that all layers above the first `below` are one layer, the last one of `config` now. As in docker, the lines of
/// the history stay, and one is added that stands for the layer.
pub fn mark_squashed(config: &mut ImageConfig, count: usize) {
    // From the end, since images exist whose history does not tell of all their layers.
    let of_layers = config.history.iter_mut().rev().filter(|line| !line.empty_layer);
    of_layers.take(count).for_each(|line| line.empty_layer = true);
    config.history.push(History {
        created: config.created.clone(),
        comment: Some(format!("{count} layers as one")),
        ..History::default()
    });
}

/// Splits the history of an image behind what tells of its first `layers` layers. The entries behind the last of them
/// that made no layer go with `base`, as far as that has the same ones.
pub(super) fn split_history(config: &ImageConfig, base: &ImageConfig, layers: usize) -> Vec<History> {
    let history = &config.history;
    if !base.history.is_empty() && history.starts_with(&base.history) {
        return history[base.history.len()..].to_vec();
    }
    let mut told = 0;
    let mut end = 0;
    while end < history.len() && told < layers {
        told += usize::from(!history[end].empty_layer);
        end += 1;
    }
    let is_empty = |entry: &&History| entry.empty_layer;
    let trailing = base.history.iter().rev().take_while(|entry| entry.empty_layer).count();
    let of_base = &base.history[base.history.len() - trailing..];
    let same =
        history[end..].iter().take_while(is_empty).zip(of_base).take_while(|(own, theirs)| own == theirs);
    let end = end + same.count();
    history[end..].to_vec()
}

#[cfg(test)]
mod tests {
    use tug_oci::{DiffId, Digest, Platform};

    use super::*;

    /// A config of so many layers with lines `word` for a layer and `-word` for none.
    fn config(layers: usize, lines: &[&str]) -> ImageConfig {
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        config.rootfs.diff_ids = (0..layers).map(|number| DiffId::new(Digest::of(&[number as u8]))).collect();
        config.history = lines.iter().map(|line| entry(line)).collect();
        config
    }

    fn entry(line: &str) -> History {
        let created_by = Some(line.trim_start_matches('-').to_owned()).filter(|text| !text.is_empty());
        History { created_by, empty_layer: line.starts_with('-'), ..History::default() }
    }

    fn lines(history: &[History]) -> Vec<String> {
        let line = |entry: &History| {
            let text = entry.created_by.clone().or(entry.comment.clone()).unwrap_or_default();
            format!("{}{text}", if entry.empty_layer { "-" } else { "" })
        };
        history.iter().map(line).collect()
    }

    #[test]
    fn a_history_is_made_to_tell_of_every_layer_and_of_no_other() {
        for (layers, before, after) in [
            (2, &["a", "-env", "b"][..], &["a", "-env", "b"][..]),
            (2, &[], &["", ""]),
            (3, &["a", "-env"], &["a", "-env", "", ""]),
            (1, &["a", "-env", "b", "c"], &["a", "-env", "-b", "-c"]),
            (0, &["a"], &["-a"]),
        ] {
            let mut config = config(layers, before);
            settle_history(&mut config);
            assert_eq!(lines(&config.history), after, "{before:?}");
        }
    }

    #[test]
    fn lines_of_squashed_layers_stay_and_one_is_added() {
        let mut config = config(2, &["base", "a", "-env", "b"]);
        mark_squashed(&mut config, 2);
        assert_eq!(lines(&config.history), ["base", "-a", "-env", "-b", "2 layers as one"]);
    }

    #[test]
    fn what_the_base_has_told_is_cut_off() {
        let base = config(1, &["from", "-cmd"]);
        for (own, expected) in [
            (&["from", "-cmd", "run", "-env"][..], &["run", "-env"][..]),
            (&["other", "-cmd", "-own", "run"], &["-own", "run"]),
            (&["from", "-own", "run"], &["-own", "run"]),
            (&["from"], &[]),
            (&[], &[]),
        ] {
            assert_eq!(lines(&split_history(&config(2, own), &base, 1)), expected, "{own:?}");
        }
    }
}
