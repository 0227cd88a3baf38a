//! Limits
/// The size of the compiled regular expressions of one flag, in bytes.
pub const REGEX_BYTES_MAX: usize = 64 * 1024;
