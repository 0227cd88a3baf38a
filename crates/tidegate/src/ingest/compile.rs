//! From bytes to a snapshot, or to the reasons why not.

use std::panic::catch_unwind;

use tidegate_engine::document::{Document, Header};
use tidegate_engine::{CompileOptions, Diagnostic, Snapshot, Tally, compile, read};

use crate::ingest::signature::SignatureError;

/// A document that may be activated.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) snapshot: Snapshot,
    /// The header of the document.
    pub(crate) header: Option<Header>,
    pub(crate) tally: Tally,
    /// The document itself, for those who compile it together with others.
    pub(crate) document: Document,
}

/// Why a document is refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// What is wrong with it, warnings and notes included.
    Diagnostics(Vec<Diagnostic>),
    /// Loading it made the loader panic, which is a fault of this library.
    Panicked,
    /// It may be a good one, but not one for us.
    Signature(SignatureError),
}

impl From<SignatureError> for Refused {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

/// Reads, checks and compiles a document. Never panics: the document comes from outside.
pub(crate) fn read_and_compile(body: &[u8], options: &CompileOptions) -> Result<Compiled, Refused> {
    let compiling = || {
        let (document, tally) = read(body).map_err(Refused::Diagnostics)?;
        Ok(Compiled { snapshot: compile(&document, options), header: document.header.clone(), tally, document })
    };
    catch_unwind(compiling).unwrap_or(Err(Refused::Panicked))
}
