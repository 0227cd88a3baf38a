//! Instants as text.
use crate::Micros;
use jiff::civil;
/// RFC 3339 in UTC with six digits.
pub(crate) fn to_rfc3339(instant: Micros) -> Option<String> {
    let epoch = civil::date(1970, 1, 1).at(0, 0, 0, 0);
    let moment = epoch.checked_add(jiff::SignedDuration::from_micros(instant.get())).ok()?;
    Some(format!("{moment:.6}Z"))
}
