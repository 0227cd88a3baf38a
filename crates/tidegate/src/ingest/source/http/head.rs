//! What the headers of an answer say.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{self, HeaderMap};
use tidegate_engine::Micros;

use super::HEADERS_MAX;
use crate::ingest::source::{FetchError, Tag, later};

/// Refuses headers that no origin needs. (The HTTP library stops reading at about 400 KiB by itself.)
pub(super) fn refuse_oversized(headers: &HeaderMap) -> Result<(), FetchError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > HEAD_BYTES_MAX || headers.len() > HEADERS_MAX {
        return Err(too_big());
    }
    Ok(())
}

pub(super) fn too_big() -> FetchError {
    FetchError::HeadTooBig { limit: HEAD_BYTES_MAX, count: HEADERS_MAX }
}

/// The validator for the next request: the entity tag, or else the date of the last modification.
pub(super) fn tag(headers: &HeaderMap) -> Option<Tag> {
    if let Some(tag) = headers.get(header::ETAG).and_then(Tag::from_etag) {
        return Some(tag);
    }
    let modified = headers.get(header::LAST_MODIFIED)?;
    // Dates are whole seconds. A document that changed within the last moments may change again in the same
    // second, and a conditional request would then miss it (RFC 9110, section 8.8.2.2).
    let (date, last) = (http_date(headers, header::DATE), http_date(headers, header::LAST_MODIFIED)?);
    if let Some(date) = date
        && date < last + SETTLED
    {
        return None;
    }
    Tag::from_last_modified(modified)
}

/// The origin's clock when it sent the answer, and the time that it is cut by. What a cache kept for a while is that much
/// older, and the age is cut to the second as well.
pub(super) fn server_date(headers: &HeaderMap) -> Option<(Micros, Duration)> {
    let date = http_date(headers, header::DATE)?;
    let age = headers.get(header::AGE).and_then(|age| age.to_str().ok()?.trim().parse::<u32>().ok()).unwrap_or(0);
    let since_epoch = date.duration_since(UNIX_EPOCH).ok()?;
    let micros = i64::try_from(since_epoch.as_micros()).ok()?;
    let cut = Duration::from_secs(if age == 0 { 1 } else { 2 });
    Some((later(Micros::new(micros), Duration::from_secs(age.into())), cut))
}

/// How long the origin asks to be left alone, at most [`RETRY_AFTER_MAX`]: seconds, or a date, which counts
/// from the answer's own date so that a wrong clock here does not matter.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let now = http_date(headers, header::DATE).unwrap_or_else(SystemTime::now);
        until.duration_since(now).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn http_date(headers: &HeaderMap, name: header::HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// Size accepted of the headers of an answer; an ordinary one has about 500 bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Longest wait that an origin can ask for: a mistyped header must not silence a fleet for a day.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// A modification this old is over.
const SETTLED: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(pair).collect()
    }

    fn check_retry(value: &str, seconds: Option<u64>) {
        let headers = headers(&[("date", DATE), ("retry-after", value)]);
        assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{value}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_capped() {
        check_retry("0", Some(0));
        check_retry("120", Some(120));
        check_retry(" 7 ", Some(7));
        check_retry("3600", Some(3600));
        check_retry("86400", Some(3600));
        check_retry("99999999999999999999999999", Some(3600));
        check_retry("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check_retry("Sat, 06 Nov 2094 08:50:37 GMT", Some(3600));
        check_retry("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        check_retry("", None);
        check_retry("-5", None);
        check_retry("1.5", None);
        check_retry("soon", None);
    }

    #[test]
    fn a_date_on_the_way_counts_from_where_it_was_kept() {
        let date = |lines: &[_]| server_date(&headers(lines)).map(|(date, _)| date.to_string());
        assert_eq!(date(&[("date", DATE)]).as_deref(), Some("1994-11-06T08:49:37.000000Z"));
        assert_eq!(date(&[("date", DATE), ("age", "23")]).as_deref(), Some("1994-11-06T08:50:00.000000Z"));
        assert_eq!(date(&[("date", DATE), ("age", "old")]).as_deref(), Some("1994-11-06T08:49:37.000000Z"));
        assert_eq!(date(&[("date", "now")]), None);
        assert_eq!(date(&[]), None);
    }

    #[test]
    fn a_date_stands_in_for_a_tag_only_once_it_is_settled() {
        let modified =
            |date: &str| tag(&headers(&[("last-modified", DATE), ("date", date)])).map(|tag| tag.as_str().to_owned());
        assert_eq!(modified("Sun, 06 Nov 1994 08:49:37 GMT"), None);
        assert_eq!(modified("Sun, 06 Nov 1994 08:49:38 GMT"), None);
        assert_eq!(modified("Sun, 06 Nov 1994 08:49:39 GMT").as_deref(), Some(DATE));
        assert_eq!(tag(&headers(&[("last-modified", DATE)])).unwrap().as_str(), DATE);
        assert_eq!(tag(&headers(&[("last-modified", DATE), ("etag", "\"1\"")])).unwrap().as_str(), "\"1\"");
        assert_eq!(tag(&headers(&[("last-modified", DATE), ("etag", "")])).unwrap().as_str(), DATE);
        assert_eq!(tag(&headers(&[("last-modified", "then")])), None);
    }

    #[test]
    fn too_many_or_too_large_headers_are_refused() {
        let large = "x".repeat(HEAD_BYTES_MAX);
        assert!(refuse_oversized(&headers(&[("x-large", &large)])).is_err());
        assert!(refuse_oversized(&headers(&[("x-large", &large[..HEAD_BYTES_MAX - 100])])).is_ok());
    }
}
