//! Header lines for requests.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::files;

/// One header. Its value may be a secret and is never shown.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Header {
    /// Whether the name is one of those that carry secrets.
    pub(crate) fn is_secret(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        SECRET.iter().any(|part| name.contains(part))
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let Some((name, value)) = line.split_once(':') else {
            return Err("there is no colon; write it as `Name: value`".to_owned());
        };
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(
                "the name has other characters than letters, digits and dashes; write it as `Name: value`".to_owned()
            );
        }
        let value = value.trim_matches([' ', '\t']);
        if value.chars().any(|character| character.is_control() && character != '\t') {
            return Err("the value has a control character".to_owned());
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ...", self.name)
    }
}

/// The headers of a file, one per line; empty lines and lines that begin with `#` are skipped. An error names the line by its
/// number, never by its content.
pub(crate) fn read(path: &Path) -> Result<Vec<Header>, String> {
    let text = files::read(path, files::SMALL_BYTES_MAX).and_then(files::to_text)?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| line.parse().map_err(|error| format!("line {number}: {error}")))
        .collect()
}

/// Parts of the names of headers whose value is a secret.
const SECRET: &[&str] = &["authorization", "cookie", "token", "secret", "api-key", "apikey", "password"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, &str, bool)>) {
        let header = line.parse::<Header>().ok();
        let found = header.as_ref().map(|header| (&*header.name, &*header.value, header.is_secret()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn lines() {
        check("X-Team: web", Some(("X-Team", "web", false)));
        check("X-Team:", Some(("X-Team", "", false)));
        check("authorization:Bearer a:b ", Some(("authorization", "Bearer a:b", true)));
        check("X-Auth-Token: x", Some(("X-Auth-Token", "x", true)));
        check("Cookie: x", Some(("Cookie", "x", true)));
        check("X Team: web", None);
        check(": web", None);
        check("X-Team", None);
        check("X-Team: a\r\nEvil: b", None);
    }
}
