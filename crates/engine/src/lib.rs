//! The engine.
mod bucket;
pub mod document;
mod flag_key;
mod micros;
mod share;
mod span;
mod variant;

pub use bucket::HashAlgorithm;
pub use document::Document;
pub use flag_key::FlagKey;
pub use micros::Micros;
pub use share::{Position, Share};
pub use span::Span;
pub use variant::Variant;
