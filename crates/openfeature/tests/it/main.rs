//! The provider as a program sees it: through the SDK's own client.
//!
//! The names of the modules are those of the chapters of OpenFeature's specification; each test names the requirements that it
//! checks by their numbers there.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod context;
mod evaluation;
mod hooks;
mod provider;
mod support;
