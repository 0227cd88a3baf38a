//! Words and marks of Rust source, without comments and literals.

/// One word or mark, and its line; the first line is 1.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: usize,
}

/// What a token is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A keyword, a name or a number.
    Word(String),
    /// Any other character that is not white space.
    Mark(char),
}

/// The tokens of a text, in order.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner { rest: text, line: 1, found: Vec::new() };
    while scanner.step() {}
    scanner.found
}

struct Scanner<'t> {
    rest: &'t str,
    line: usize,
    found: Vec<Token>,
}

impl Scanner<'_> {
    /// Takes one token, comment, literal or blank; `false` at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.take(comment_length(self.rest));
        } else if first == '"' {
            self.take(string_length(self.rest));
        } else if first == '\'' {
            self.take(quote_length(self.rest));
        } else if is_of_word(first) {
            self.word();
        } else {
            if !first.is_whitespace() {
                self.found.push(Token { kind: Kind::Mark(first), line: self.line });
            }
            self.take(first.len_utf8());
        }
        true
    }

    fn word(&mut self) {
        let end = self.rest.find(|character| !is_of_word(character)).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        let is_raw = matches!(word, "r" | "br" | "cr");
        let hashes = after.len() - after.trim_start_matches('#').len();
        if is_raw && after[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = &after[hashes + 1..];
            let length = body.find(&close).map_or(after.len(), |at| hashes + 1 + at + close.len());
            self.take(end + length);
        } else if matches!(word, "b" | "c") && after.starts_with('"') {
            self.take(end + string_length(after));
        } else if word == "b" && after.starts_with('\'') {
            self.take(end + quote_length(after));
        } else if word == "r" && hashes == 1 {
            // A raw identifier: its name is the next word.
            self.take(end + 1);
        } else {
            self.found.push(Token { kind: Kind::Word(word.to_owned()), line: self.line });
            self.take(end);
        }
    }

    fn take(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of the comment with which the text begins; comments may be nested.
fn comment_length(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(next) = text[at..].find(['/', '*']) {
        at += next;
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of the string with which the text begins.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the character literal with which the text begins; of a lifetime, only its quote.
fn quote_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            characters.next();
            characters.find(|(_, character)| *character == '\'').map_or(text.len(), |(at, _)| at + 1)
        }
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found: Vec<String> = tokens(text)
            .into_iter()
            .map(|token| match token.kind {
                Kind::Word(word) => word,
                Kind::Mark(mark) => mark.to_string(),
            })
            .collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        check("a // b\nc /* d /* e */ f */ g", "a c g");
        check(r##"a "b \" c" d r#"e " f"# g br"h" i b"j" k"##, "a d g i k");
        check(r"a 'b' c '\'' d '\u{1f600}' e <'f> g b'\\' h", "a c d e < f > g h");
        check("r#type \"a\nb\" c", "type c");
        assert_eq!(tokens("a\n/* \n */ \"\n\" b").last().map(|token| token.line), Some(4));
    }
}
