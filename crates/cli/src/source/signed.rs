//! Signatures, for commands that look at the text of a source rather than use it.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use tidegate::Tidegate;

use super::bounded;
use super::open::trusting;
use crate::args::SourceOptions;
use crate::exit::Failure;

/// Whether readers with these keys and this environment would take a document.
pub(crate) enum Verdict {
    /// Nobody has asked.
    None,
    /// They would; and who has signed it, where there are keys.
    Taken(Option<String>),
    /// They would refuse it.
    Refused(String),
}

/// What readers with these options would say of a text and its signature.
pub(crate) fn verdict(options: &SourceOptions, text: &[u8], signature: Option<&str>) -> Result<Verdict, Failure> {
    if options.trusted_keys.is_empty() && options.environment.is_none() {
        return Ok(Verdict::None);
    }
    let builder = trusting(Tidegate::builder(), options)?;
    Ok(match builder.verify(text, signature) {
        Ok(key) => Verdict::Taken(key.map(|key| key.to_string())),
        Err(error) => Verdict::Refused(error.to_string()),
    })
}

/// The signature beside a file; none if there is no such file.
pub(super) fn beside(path: &Path) -> io::Result<Option<String>> {
    let mut name = OsString::from(path);
    name.push(".minisig");
    match std::fs::File::open(name).and_then(bounded) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
