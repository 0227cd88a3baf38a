//! Populations: subjects with their attributes, one JSON object per line.

use std::path::Path;

use tidegate_engine::{JsonAttributes, Subject};

use crate::args::Location;
use crate::exit::Failure;
use crate::files;

/// A subject of a population.
#[derive(Debug)]
pub(crate) struct KnownSubject {
    key: Option<String>,
    attributes: JsonAttributes,
}

impl KnownSubject {
    pub(crate) fn as_subject(&self) -> Subject<'_> {
        Subject::from(self.key.as_deref()).with_attributes(&self.attributes)
    }
}

/// The subjects of a file; `-` is standard input. Each line is a JSON object, the attributes of a subject; `$key` in it is the key.
/// Empty lines are skipped.
pub(crate) fn read(file: &Path, source: Option<&Location>) -> Result<Vec<KnownSubject>, Failure> {
    if file.as_os_str() == "-" && source == Some(&Location::Stdin) {
        return Err(Failure::usage("the document and the subjects cannot both be read from standard input"));
    }
    let cannot = |error: String| {
        Failure::usage(format_args!("cannot read the subjects in `{}`: {error}", file.display()))
            .help("write one JSON object per line, such as `{\"$key\": \"alice\", \"plan\": \"premium\"}`")
    };
    let text = files::read_or_stdin(file, files::KEYS_BYTES_MAX).and_then(files::to_text).map_err(cannot)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let subjects = lines.map(|(number, line)| {
        let attributes =
            JsonAttributes::parse(line).map_err(|error| cannot(format!("line {}: {error}", number + 1)))?;
        Ok(KnownSubject { key: attributes.text("$key").map(str::to_owned), attributes })
    });
    let subjects: Vec<KnownSubject> = subjects.collect::<Result<_, Failure>>()?;
    if subjects.is_empty() {
        return Err(cannot("there are none".to_owned()));
    }
    Ok(subjects)
}
