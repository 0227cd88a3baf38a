//! The file of a cached document: a line that identifies and protects it, a line of JSON about the document,
//! then the document's bytes as they came.
//!
//! ```text
//! tidegate-document 1 <XXH3-128 of the version and of all that follows the line, 32 hexadecimal digits>\n
//! {"tag":…,"signature":…,"fetched_at":…,"source":…,"fingerprint":…,"body_bytes":…}\n
//! <body>
//! ```
//!
//! Every later version keeps the first line's form, so that damage can always be told from a newer version.

use serde::{Deserialize, Serialize};
use tidegate_engine::Micros;

use crate::files::protected::{Fault, first_line, protected};
use crate::ingest::source::{BODY_BYTES_MAX, Tag, TagKind};

/// A document as it was fetched, and what to ask its source with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    /// Names the body at its source.
    pub(crate) tag: Option<Tag>,
    pub(crate) body: Vec<u8>,
    /// Of the body, if it came with one; verified again by each load.
    pub(crate) signature: Option<String>,
    pub(crate) fetched_at: Micros,
    /// The source, for people; without secrets.
    pub(crate) source: String,
    /// [`crate::ingest::source::Source::fingerprint`] of the source.
    pub(crate) fingerprint: u64,
}

/// What the file says about the document.
#[derive(Deserialize, Serialize)]
struct About {
    tag: Option<TagParts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    fetched_at: i64,
    source: String,
    fingerprint: u64,
    body_bytes: usize,
}

#[derive(Deserialize, Serialize)]
struct TagParts {
    header: Header,
    text: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Header {
    Etag,
    LastModified,
}

impl Record {
    /// The tag, if the document came from the source with this fingerprint: a tag means nothing elsewhere,
    /// although the document may still be the best one there is.
    pub(crate) fn tag_for(&self, fingerprint: u64) -> Option<&Tag> {
        self.tag.as_ref().filter(|_| self.fingerprint == fingerprint)
    }

    /// The two lines before the body.
    pub(super) fn head(&self) -> String {
        let about = About {
            tag: self.tag.as_ref().map(|tag| TagParts {
                header: match tag.kind() {
                    TagKind::Entity => Header::Etag,
                    TagKind::Modified => Header::LastModified,
                },
                text: tag.as_str().to_owned(),
            }),
            signature: self.signature.clone(),
            fetched_at: self.fetched_at.get(),
            source: self.source.clone(),
            fingerprint: self.fingerprint,
            body_bytes: self.body.len(),
        };
        // Numbers and strings only: there is nothing in it that could fail.
        let mut about = serde_json::to_string(&about).unwrap_or_default();
        about.push('\n');
        first_line(MAGIC, VERSION, &[about.as_bytes(), &self.body]) + &about
    }

    pub(super) fn parse(content: Vec<u8>) -> Result<Self, Fault> {
        let rest = protected(&content, MAGIC, VERSION)?;
        let line = rest.iter().position(|byte| *byte == b'\n').ok_or(Fault::Damaged)?;
        let (about, body) = (&rest[..line], &rest[line + 1..]);
        let about: About = serde_json::from_slice(about).map_err(|_| Fault::Damaged)?;
        if about.body_bytes != body.len() || body.len() > BODY_BYTES_MAX {
            return Err(Fault::Damaged);
        }
        let tag = about.tag.map(|parts| {
            let kind = match parts.header {
                Header::Etag => TagKind::Entity,
                Header::LastModified => TagKind::Modified,
            };
            Tag::with_kind(kind, parts.text)
        });
        let start = content.len() - body.len();
        let mut body = content;
        body.drain(..start);
        Ok(Self {
            tag: tag.transpose().map_err(|_| Fault::Damaged)?,
            body,
            signature: about.signature,
            fetched_at: Micros::new(about.fetched_at),
            source: about.source,
            fingerprint: about.fingerprint,
        })
    }
}

const MAGIC: &str = "tidegate-document";
const VERSION: u32 = 1;

/// Size of the largest file: the body's limit and room for the two lines, in which a signature of 64 KiB may
/// take six times as much.
pub(super) const FILE_BYTES_MAX: u64 = BODY_BYTES_MAX as u64 + 512 * 1024;
