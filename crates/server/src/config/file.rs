//! The configuration file, TOML: each key once, on a line that mistakes are named with.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use toml::Spanned;

use super::key::Shape;
use super::{ConfigError, Key, Origin, Said, Value};
use crate::limits;

/// What the file says.
pub(super) fn read(path: &Path) -> Result<Vec<Said>, ConfigError> {
    let text = read_text(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
    let table: BTreeMap<Spanned<String>, Spanned<toml::Value>> = toml::from_str(&text).map_err(|error| {
        let (line, column) = place(&text, error.span().map_or(0, |span| span.start));
        let message = error.message().replace('\n', ", ");
        ConfigError::Syntax { path: path.to_owned(), line, column, message }
    })?;
    table.into_iter().map(|(key, value)| said(path, &text, &key, value.into_inner())).collect()
}

/// A regular file in UTF-8, with or without a byte order mark.
fn read_text(path: &Path) -> io::Result<String> {
    let most = usize::try_from(limits::CONFIG_BYTES_MAX).unwrap_or(usize::MAX);
    let bytes = tidegate::read_file(path, most).map_err(|problem| io::Error::other(format!("it {problem}")))?;
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn said(path: &Path, text: &str, name: &Spanned<String>, value: toml::Value) -> Result<Said, ConfigError> {
    let (line, _) = place(text, name.span().start);
    let name = name.get_ref();
    let key = Key::ALL.into_iter().find(|key| key.as_str() == name).ok_or_else(|| {
        let known: Vec<_> = Key::ALL.iter().map(|key| format!("`{key}`")).collect();
        let help = format!("the keys are {}", known.join(", "));
        ConfigError::Unknown { path: path.to_owned(), line, key: name.clone(), help }
    })?;
    let origin = Origin::File { path: path.to_owned(), line };
    let value = match (key.shape(), value) {
        (Shape::Text | Shape::Number, toml::Value::String(text)) => Value::Text(text),
        (Shape::Number, toml::Value::Integer(number)) => Value::Text(number.to_string()),
        (Shape::Switch, toml::Value::Boolean(is_on)) => Value::Switch(is_on),
        (Shape::List, toml::Value::Array(all)) => match texts(&all) {
            Some(all) => Value::List(all),
            None => return Err(wrong_shape(key, &toml::Value::Array(all), origin)),
        },
        (_, value) => return Err(wrong_shape(key, &value, origin)),
    };
    Ok(Said { key, value, origin })
}

fn texts(all: &[toml::Value]) -> Option<Vec<String>> {
    all.iter().map(|one| one.as_str().map(str::to_owned)).collect()
}

fn wrong_shape(key: Key, value: &toml::Value, origin: Origin) -> ConfigError {
    let (problem, help) = match key.shape() {
        Shape::Text => ("it is not a text", format!("write it like `{key} = \"...\"`")),
        Shape::List => ("it is not a list of texts", format!("write it like `{key} = [\"...\", \"...\"]`")),
        Shape::Number => ("it is not a number", format!("write it like `{key} = 1000`")),
        Shape::Switch => ("it is neither true nor false", format!("write `{key} = true` or `{key} = false`")),
    };
    let shown = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(is_on) => is_on.to_string(),
        other => other.type_str().to_owned(),
    };
    ConfigError::value(key, &shown, origin, problem, &help)
}

/// Line and column of a byte, from 1; the column in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}
