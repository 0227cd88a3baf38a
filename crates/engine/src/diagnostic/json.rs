//! A diagnostic as JSON: one shape for the command line, the library's status and the server's problems.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::Diagnostic;

/// An object with `code`, `severity`, `path`, `line` and `column` (from 1; `null` where the text has no such place),
/// `message` and `help`.
impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Diagnostic", 7)?;
        object.serialize_field("code", self.code.as_str())?;
        object.serialize_field("severity", self.code.severity().as_str())?;
        object.serialize_field("path", &self.path.to_string())?;
        object.serialize_field("line", &self.place.as_ref().map(|place| place.line))?;
        object.serialize_field("column", &self.place.as_ref().map(|place| place.column))?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("help", &self.help)?;
        object.end()
    }
}
