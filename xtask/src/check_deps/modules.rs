//! The modules of one crate and the paths that they name, read from source text.
//!
//! This is no Rust parser: it knows comments, strings, attributes, `mod`, `use` and paths that begin with `crate`, `super` or
//! `self`. That is enough to see which module imports which. It does not see method calls, and it does not follow glob
//! imports. Items behind `#[cfg(test)]` are left out.

use std::collections::BTreeMap;

use super::tokens::{Kind, Token, tokens};

/// The path of a module inside its crate; the root's is empty.
pub(super) type ModulePath = Vec<String>;

/// All modules of a crate by path.
pub(super) type Modules = BTreeMap<ModulePath, Module>;

/// One module: a file, or an inline `mod name { ... }`.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The file that holds it, as it was named by the reader.
    pub(super) file: String,
    /// Names that `use` brings into the module, with the path behind each.
    imports: BTreeMap<String, Vec<String>>,
    /// Every path that the module names, with its line.
    pub(super) references: Vec<Reference>,
}

/// A path in a module's text.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

/// Reads the modules of a crate from its root file (`src/lib.rs`, `src/main.rs`); `read` gives the text of a file, or `None`
/// where there is no such file.
pub(super) fn modules(root: &str, read: &dyn Fn(&str) -> Option<String>) -> Modules {
    let mut modules = Modules::new();
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut waiting = vec![(Vec::new(), root.to_owned())];
    while let Some((path, file)) = waiting.pop() {
        let Some(text) = read(&file) else { continue };
        let mut reader = Reader { tokens: tokens(&text), at: 0, file, modules: &mut modules, children: Vec::new() };
        reader.module(&path);
        for child in reader.children {
            let file = format!("{folder}/{}.rs", child.join("/"));
            waiting.push((child, file));
        }
    }
    modules
}

/// The module that defines what `segments` name in `module`; `None` for other crates.
pub(super) fn resolve(modules: &Modules, module: &ModulePath, segments: &[String]) -> Option<ModulePath> {
    resolve_import(modules, module, segments, IMPORTS_MAX)
}

/// Imports of imports are followed this often; more would be a circle.
const IMPORTS_MAX: usize = 16;

fn resolve_import(modules: &Modules, module: &ModulePath, segments: &[String], left: usize) -> Option<ModulePath> {
    let mut found = module.clone();
    let mut rest = segments;
    let mut is_local = false;
    while let [first, after @ ..] = rest {
        match first.as_str() {
            "crate" => found.clear(),
            "self" => {}
            "super" => {
                found.pop()?;
            }
            _ => break,
        }
        (rest, is_local) = (after, true);
    }
    while let [name, after @ ..] = rest {
        let mut child = found.clone();
        child.push(name.clone());
        if modules.contains_key(&child) {
            (found, rest, is_local) = (child, after, true);
            continue;
        }
        let import = modules.get(&found).and_then(|module| module.imports.get(name));
        if let Some(import) = import.filter(|import| *import != segments && left > 0) {
            let path: Vec<String> = import.iter().chain(after).cloned().collect();
            return resolve_import(modules, &found, &path, left - 1);
        }
        break;
    }
    is_local.then_some(found)
}

/// Walks over the tokens of one file.
struct Reader<'m> {
    tokens: Vec<Token>,
    at: usize,
    file: String,
    modules: &'m mut Modules,
    /// Modules that are declared here and have files of their own.
    children: Vec<ModulePath>,
}

impl Reader<'_> {
    /// Reads to the end of the file, or to the brace that closes an inline module.
    fn module(&mut self, path: &ModulePath) {
        self.modules.insert(path.clone(), Module { file: self.file.clone(), ..Module::default() });
        let mut depth = 0_usize;
        while let Some(token) = self.next() {
            match &token.kind {
                Kind::Mark('{') => depth += 1,
                Kind::Mark('}') if depth == 0 => return,
                Kind::Mark('}') => depth -= 1,
                Kind::Mark('#') => self.attribute(),
                Kind::Word(word) => self.word(word, token.line, path),
                Kind::Mark(_) => {}
            }
        }
    }

    fn word(&mut self, word: &str, line: usize, path: &ModulePath) {
        match word {
            "mod" => self.declaration(path),
            "pub" if self.is_mark(0, '(') && self.is_word(1, "in") => self.skip_group(),
            "use" if !self.is_mark(0, '<') => {
                let mut found = Vec::new();
                self.use_tree(&mut Vec::new(), &mut found);
                let module = self.modules.entry(path.clone()).or_default();
                for (name, segments, line) in found {
                    module.imports.insert(name, segments.clone());
                    module.references.push(Reference { segments, line });
                }
            }
            "crate" | "super" | "self" if self.is_mark(0, ':') && self.is_mark(1, ':') => {
                let mut segments = vec![word.to_owned()];
                while self.is_mark(0, ':') && self.is_mark(1, ':') {
                    let Some(Token { kind: Kind::Word(next), .. }) = self.tokens.get(self.at + 2) else { break };
                    segments.push(next.clone());
                    self.at += 3;
                }
                self.modules.entry(path.clone()).or_default().references.push(Reference { segments, line });
            }
            _ => {}
        }
    }

    /// What follows `mod`: a file of its own, or a body.
    fn declaration(&mut self, path: &ModulePath) {
        let Some(Token { kind: Kind::Word(name), .. }) = self.tokens.get(self.at) else { return };
        let child: ModulePath = path.iter().cloned().chain([name.clone()]).collect();
        self.at += 1;
        if self.is_mark(0, ';') {
            self.children.push(child);
        } else if self.is_mark(0, '{') {
            self.at += 1;
            self.module(&child);
        }
    }

    /// One branch of a `use`, after `before`: each name with its whole path.
    fn use_tree(&mut self, before: &mut Vec<String>, found: &mut Vec<(String, Vec<String>, usize)>) {
        let length = before.len();
        let mut line = 0;
        let mut name = None;
        while let Some(token) = self.next() {
            match token.kind {
                Kind::Word(word) if word == "as" => {
                    if let Some(Token { kind: Kind::Word(alias), .. }) = self.next() {
                        name = Some(alias);
                    }
                }
                Kind::Word(word) => {
                    line = token.line;
                    before.push(word);
                }
                Kind::Mark('{') => {
                    while self.branch(before, found) {}
                    line = 0;
                }
                Kind::Mark('*') => {
                    name = Some("*".to_owned());
                    line = token.line;
                }
                Kind::Mark(',' | '}' | ';') => {
                    self.at -= 1;
                    break;
                }
                Kind::Mark(_) => {}
            }
        }
        if line > 0 {
            // `use a::{self}` brings in `a`.
            let path: Vec<String> = match before.as_slice() {
                [path @ .., last] if last == "self" && !path.is_empty() => path.to_vec(),
                path => path.to_vec(),
            };
            if let Some(last) = path.last().cloned() {
                found.push((name.unwrap_or(last), path, line));
            }
        }
        before.truncate(length);
    }

    /// One branch inside braces; whether another one follows.
    fn branch(&mut self, before: &mut Vec<String>, found: &mut Vec<(String, Vec<String>, usize)>) -> bool {
        self.use_tree(before, found);
        self.next().is_some_and(|token| token.kind == Kind::Mark(','))
    }

    /// What follows `#`; with `#[cfg(test)]`, the item that follows too.
    fn attribute(&mut self) {
        if self.is_mark(0, '!') {
            self.at += 1;
        }
        if !self.is_mark(0, '[') {
            return;
        }
        let start = self.at;
        self.skip_group();
        if is_test(&self.tokens[start..self.at]) {
            self.skip_item();
        }
    }

    fn skip_item(&mut self) {
        while self.is_mark(0, '#') {
            self.at += 1;
            self.skip_group();
        }
        if self.is_word(0, "pub") {
            self.at += 1;
            if self.is_mark(0, '(') {
                self.skip_group();
            }
        }
        let is_use = self.is_word(0, "use");
        let ends_at_comma = !ITEMS.iter().any(|item| self.is_word(0, item));
        while let Some(token) = self.tokens.get(self.at) {
            match token.kind {
                Kind::Mark('(' | '[') => self.skip_group(),
                Kind::Mark('{') => {
                    self.skip_group();
                    if !is_use {
                        return;
                    }
                }
                // The end of what encloses the item.
                Kind::Mark('}') => return,
                Kind::Mark(';') => {
                    self.at += 1;
                    return;
                }
                Kind::Mark(',') if ends_at_comma => return,
                _ => self.at += 1,
            }
        }
    }

    /// Moves behind the bracket that closes the next one.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.next() {
            match token.kind {
                Kind::Mark('(' | '[' | '{') => depth += 1,
                Kind::Mark(')' | ']' | '}') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn is_mark(&self, ahead: usize, mark: char) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.kind == Kind::Mark(mark))
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        let is_it = |token: &Token| matches!(&token.kind, Kind::Word(found) if found == word);
        self.tokens.get(self.at + ahead).is_some_and(is_it)
    }
}

/// Words that begin an item; anything else behind an attribute is a field, a variant or an expression.
const ITEMS: &[&str] = &[
    "use",
    "mod",
    "fn",
    "impl",
    "struct",
    "enum",
    "trait",
    "const",
    "static",
    "type",
    "async",
    "unsafe",
    "extern",
    "macro_rules",
    "let",
];

/// Whether the tokens of an attribute are `[cfg(test)]`, or a `cfg` that has `test` in it without `not`.
fn is_test(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute
        .iter()
        .filter_map(|token| match &token.kind {
            Kind::Word(word) => Some(word.as_str()),
            Kind::Mark(_) => None,
        })
        .collect();
    words.first() == Some(&"cfg") && words.windows(2).any(|pair| pair[1] == "test" && pair[0] != "not")
}
