//! Finds the name that was probably meant.

/// The candidate closest to `word`, if one is close enough. Case does not count.
pub fn closest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_ascii_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let distances = candidates.iter().map(|&candidate| {
        let distance = strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase());
        (distance, candidate)
    });
    distances
        .filter(|&(distance, _)| distance <= allowed && distance < word.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_suggested() {
        let names = ["FROM", "RUN", "COPY", "ENTRYPOINT"];

        assert_eq!(closest("form", &names), Some("FROM"));
        assert_eq!(closest("ENTRYPONT", &names), Some("ENTRYPOINT"));
        assert_eq!(closest("RNU", &names), Some("RUN"));
        assert_eq!(closest("INCLUDE", &names), None);
        assert_eq!(closest("x", &names), None);
    }
}
