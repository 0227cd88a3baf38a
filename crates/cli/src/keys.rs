//! Lists of keys, one per line.

use std::path::Path;

use crate::args::Location;
use crate::exit::Failure;
use crate::files;

/// The keys of a file, one per line; `-` is standard input. A key is the whole line without its end; empty lines are skipped.
pub(crate) fn read(file: &Path, source: Option<&Location>) -> Result<Vec<String>, Failure> {
    if file.as_os_str() == "-" && source == Some(&Location::Stdin) {
        return Err(Failure::usage("the document and the keys cannot both be read from standard input"));
    }
    let text = files::read_or_stdin(file, files::KEYS_BYTES_MAX)
        .and_then(files::to_text)
        .map_err(|error| Failure::usage(format_args!("cannot read the keys in `{}`: {error}", file.display())))?;
    let keys: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(Failure::usage(format_args!("no keys in `{}`; write one per line", file.display())));
    }
    Ok(keys)
}
