//! Steps of scenarios: a text with places for words.

/// What stands in the places `{}` of a pattern; `None` if the text is another one.
pub(crate) fn words<'t>(text: &'t str, pattern: &str) -> Option<Vec<&'t str>> {
    let mut parts = pattern.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut words = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_none() { rest.len().checked_sub(part.len())? } else { rest.find(part)? };
        let (word, after) = rest.split_at_checked(end)?;
        rest = after.strip_prefix(part)?;
        words.push(word);
    }
    rest.is_empty().then_some(words)
}

#[test]
fn words_stand_in_the_places_of_a_pattern() {
    assert_eq!(words("a b-flag with c", "a {}-flag with {}"), Some(vec!["b", "c"]));
    assert_eq!(words("a \"\" b", "a \"{}\" b"), Some(vec![""]));
    assert_eq!(words("a", "a"), Some(vec![]));
    for text in ["", "a b", "a b-flag", "x b-flag with c"] {
        assert_eq!(words(text, "a {}-flag with {}"), None, "{text}");
    }
    assert_eq!(words("ab", "a"), None);
}
