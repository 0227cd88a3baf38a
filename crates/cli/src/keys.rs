//! Lists of keys, one a line.

use std::io::Read as _;
use std::path::Path;

use crate::args::Place;
use crate::exit::Failure;

/// The keys of a file, one a line; `-` is standard input. A line is a key as it stands, without its end;
/// empty lines are left out.
pub(crate) fn read(file: &Path, source: Option<&Place>) -> Result<Vec<String>, Failure> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        if source == Some(&Place::Stdin) {
            return Err(Failure::usage("the document and the keys cannot both be read from standard input"));
        }
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    }
    .map_err(|error| Failure::usage(format_args!("the keys in `{}` cannot be read: {error}", file.display())))?;
    let keys: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(Failure::usage(format_args!("there are no keys in `{}`; write one a line", file.display())));
    }
    Ok(keys)
}
