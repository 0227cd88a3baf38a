//! Signatures, for commands that look at the text of a source rather than use it.

use std::ffi::OsString;
use std::path::Path;

use tidegate::Tidegate;

use super::open::trusting;
use crate::args::SourceOptions;
use crate::exit::Failure;
use crate::files;

/// Whether readers with these keys and this environment would take a document.
pub(crate) enum Verdict {
    /// No key and no environment are given.
    NotChecked,
    /// They would; with the key that has signed it, if keys are given.
    Accepted(Option<String>),
    /// They would refuse it.
    Refused(String),
}

/// Checks a text and its signature as readers with these options do.
pub(crate) fn verdict(options: &SourceOptions, text: &[u8], signature: Option<&str>) -> Result<Verdict, Failure> {
    if options.trusted_keys.is_empty() && options.environment.is_none() {
        return Ok(Verdict::NotChecked);
    }
    let builder = trusting(Tidegate::builder(), options)?;
    Ok(match builder.verify(text, signature) {
        Ok(key) => Verdict::Accepted(key.map(|key| key.to_string())),
        Err(error) => Verdict::Refused(error.to_string()),
    })
}

/// The signature beside a file; none if there is no such file.
pub(super) fn signature_of(path: &Path) -> Result<Option<String>, String> {
    let mut name = OsString::from(path);
    name.push(".minisig");
    let name = Path::new(&name);
    // Without the file the document is not signed.
    if name.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let text = files::read(name, files::SMALL_BYTES_MAX)
        .map_err(|error| format!("its signature `{}`: {error}", name.display()))?;
    Ok(Some(String::from_utf8_lossy(&files::without_mark(text)).into_owned()))
}
