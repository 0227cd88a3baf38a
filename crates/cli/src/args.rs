//! Arguments that several commands have in common: what they mean, and how they are parsed.

mod common;
mod header;
mod query;
mod server;
mod source;
mod text;

pub(crate) use common::{AtArg, AttributesArg, FlagArgs, Format, FormatArg, KeyArg, KeyFileArg, host_name};
pub(crate) use header::{Header, read as read_headers};
pub(crate) use query::{Query, QueryArgs};
pub(crate) use server::{
    AuthorArgs, ChangeArgs, FlagKeyArg, SERVER_VARIABLE, ServerArgs, TargetArgs, UntilArg, percentage, user_at_host,
};
pub(crate) use source::{Location, SourceArgs, SourceOptions};
pub(crate) use text::{duration, json, time};
