//! "Did you mean": the known name that is spelled nearly like the one that was typed.

/// The one of `known` that is closest to `name`, if it is close enough to be what was meant.
///
/// Close enough: at most a third of the letters differ, or `name` is the beginning of it.
pub(crate) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let allowed = (lower.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|candidate| {
            let compared = candidate.to_lowercase();
            let distance = match lower.len() >= 3 && compared.starts_with(&lower) {
                true => 1,
                false => strsim::osa_distance(&lower, &compared),
            };
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_different_word_is_not() {
        let known: Vec<String> = ["debian:12", "debian:11", "app:latest"].map(str::to_owned).into();
        assert_eq!(closest("debina:12", &known), Some("debian:12"));
        assert_eq!(closest("App:latest", &known), Some("app:latest"));
        assert_eq!(closest("app", &known), Some("app:latest"));
        assert_eq!(closest("python:3", &known), None);
        assert_eq!(closest("x", &[]), None);
    }
}
