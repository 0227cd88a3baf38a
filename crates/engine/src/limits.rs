//! Every limit of the engine, as a named constant with its reason.
//!
//! A limit is checked before the work that it bounds, and the message that refuses names it. The table in
//! `docs/reference/limits.md` is generated from these constants and their comments.

/// The longest document in bytes, after any decompression: 16 MiB.
///
/// A document of 100,000 ordinary flags has about 6 MiB; more is a mistake or an attack.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most flags of one document: 100,000.
///
/// Ten times the largest fleets we know of; it bounds memory and the time to replace a snapshot.
pub const FLAGS_MAX: usize = 100_000;

/// The most sections of one document: 100,000, as many as flags.
pub const SECTIONS_MAX: usize = 100_000;

/// The most names inside any other object, with all that it holds: 100,000.
///
/// Names have to be remembered to find those that occur twice; this bounds the memory for it.
pub const NAMES_MAX: usize = 100_000;

/// How deep brackets and braces of a document may nest, its own outer brace included: 64.
///
/// Deep enough for any value that people write, and shallow enough for the stack of any reader of the same text.
pub const NESTING_MAX: usize = 64;

/// The longest name of a section or a flag in bytes of UTF-8: 256.
///
/// Names are part of URLs, log lines and metrics, all of which have a limit of length.
pub const NAME_BYTES_MAX: usize = 256;

/// The longest value, text or metadata entry in bytes of compact JSON: 64 KiB.
///
/// A flag chooses between values; for a larger one, use its name or its URL as the value.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// The longest spelling of one number in bytes: 1,024.
///
/// Every finite double has an exact decimal spelling that is shorter; more digits only cost time.
pub const NUMBER_BYTES_MAX: usize = 1_024;

/// The most early adopters of one flag, exact keys and patterns together: 100,000.
///
/// For more keys use a percentage, which costs no memory.
pub const EARLY_ADOPTERS_MAX: usize = 100_000;

/// The most memory that the patterns of one flag, of its early adopters and of its rules, may take once compiled, in bytes: 64 KiB.
///
/// It bounds the time of a match as well as memory, so no pattern can slow a check down.
pub const REGEX_BYTES_MAX: usize = 64 * 1024;

/// The most memory that the matcher of one flag's patterns may fill on one thread, in bytes: 512 KiB.
///
/// Enough for patterns within [`REGEX_BYTES_MAX`] to run at full speed. When it is full, matching is slower, but still takes
/// linear time.
pub const REGEX_CACHE_BYTES_MAX: usize = 512 * 1024;

/// The most text of all patterns of one flag together, in bytes: 8 KiB.
///
/// Longer texts hardly ever fit [`REGEX_BYTES_MAX`]; this one is checked before any of them is
/// parsed, so that parsing is bounded too.
pub const REGEX_TEXT_BYTES_MAX: usize = 8 * 1024;

/// The most that compiling all patterns of one document may cost: 1,048,576 units.
///
/// A pattern costs 64 units, one for each byte of its text, and 1,024 for each class that stands for characters of all
/// scripts, such as `\w`, `\d`, `\pL`, `.` or `[^a]`; at most 262,144. That is some 13,000 patterns like `^ci-[0-9]+$`, or
/// a thousand `\w`: a second of compiling at most. Counted, not measured, so that a document is accepted everywhere or
/// nowhere.
pub const PATTERN_COST_MAX: usize = 1024 * 1024;

/// The most rules of one flag: 100.
///
/// They are tried one after the other in the request path; people write a handful.
pub const RULES_MAX: usize = 100;

/// The most segments of one document: 1,000.
///
/// Each is compiled whether a rule names it or not.
pub const SEGMENTS_MAX: usize = 1_000;

/// How deep conditions may nest, those of the segments that they name included: 16.
///
/// An evaluation goes as deep on the stack.
pub const CONDITION_DEPTH_MAX: usize = 16;

/// The most comparisons that the rules of one flag may take, those of segments included: 1,000.
///
/// A segment counts wherever it is named, and each network of a list counts, so this bounds the time of an evaluation.
pub const COMPARISONS_MAX: usize = 1_000;

/// The most elements of one list in a condition: 1,000.
///
/// Longer lists are data: let the program send an attribute that says whether a subject is in them.
pub const CONDITION_LIST_MAX: usize = 1_000;

/// The most other flags that one evaluation asks for as prerequisites, those that these ask for included: 32.
///
/// It bounds the time of an evaluation also where flags of several documents ask for each other in a circle: then the rules that
/// ask do not match.
pub const PREREQUISITES_MAX: usize = 32;

/// The most variants of one flag: 100.
///
/// An evaluation of a split hashes the key once for each of them; people compare a handful.
pub const VARIANTS_MAX: usize = 100;

/// The greatest weight of a variant in a split: 1,000,000.
///
/// With six decimals behind it a weight has 40 bits, so that the product of a weight and a cost fits in 128.
pub const WEIGHT_MAX: u64 = 1_000_000;

/// The most steps of one flag: 1,000.
///
/// The limit bounds the points that an evaluation searches; people write a few steps, and programs can use a `curve`.
pub const STEPS_MAX: usize = 1_000;

/// The longest duration in microseconds: 10,000 years of 365.25 days.
///
/// As long as the calendar of a document. Any instant of a window then fits in 64 bits of microseconds.
pub const DURATION_MICROS_MAX: u64 = 3_652_500 * 86_400 * 1_000_000;

/// The most problems of one code that are reported for one document: 100.
///
/// People read no more, and a hostile document must not cause gigabytes of messages. The others are counted.
/// The limit is per code, so that a hundred thousand warnings do not hide the one that matters.
pub const DIAGNOSTICS_MAX: usize = 100;
