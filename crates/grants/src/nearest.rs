//! The known name that a mistyped one probably meant.

/// Names are compared up to this many characters.
const MAX_CHARS: usize = 64;

/// The candidate at the smallest edit distance, if that is small for the word's length.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(MAX_CHARS).collect();
    let allowed = 1 + word.len() / 4;
    candidates
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's, where swapping two neighbours counts as one step.
fn distance(word: &[char], candidate: &str) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=word.len()).collect();
    let mut previous_char = None;
    for (row, c) in candidate.to_lowercase().chars().take(MAX_CHARS).enumerate() {
        let mut current = vec![row + 1; word.len() + 1];
        for (i, &w) in word.iter().enumerate() {
            let mut best = (last[i] + usize::from(w != c)).min(last[i + 1] + 1).min(current[i] + 1);
            if i > 0 && row > 0 && Some(w) == previous_char && word[i - 1] == c {
                best = best.min(before[i - 1] + 1);
            }
            current[i + 1] = best;
        }
        previous_char = Some(c);
        before = std::mem::replace(&mut last, current);
    }
    last[word.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant_and_nothing_far_off() {
        let known = ["customers", "orders", "email"];
        for (typed, meant) in [
            ("custmers", Some("customers")),
            ("Customers", Some("customers")),
            ("emial", Some("email")),
            ("order", Some("orders")),
            ("payments", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
    }
}
