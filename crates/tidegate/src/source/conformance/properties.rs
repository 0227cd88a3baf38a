//! The properties, one function each. They return what was seen instead.

use std::time::{Duration, Instant};

use super::Outage;
use super::session::{Session, connect, describe, document, ensure, version};
use crate::ingest::source::BODY_BYTES_MAX;
use crate::{Fetched, Health, ServedFrom, Status, Tidegate};

type Outcome = Result<(), String>;

pub(super) fn first_document(session: &mut Session<'_>) -> Outcome {
    let status = session.with_version_1(|builder| builder)?.status();
    ensure(status.served_from == ServedFrom::Source, || {
        format!("the document is not served from the source: {}", describe(&status))
    })
}

pub(super) fn tag(session: &mut Session<'_>) -> Outcome {
    session.publish(1);
    let mut asking = session.asking()?;
    let (first, again) = (asking.document(None)?, asking.document(None)?);
    ensure(first.tag == again.tag, || {
        format!("one document has two tags, `{}` and `{}`", first.tag.as_str(), again.tag.as_str())
    })?;
    session.publish(2);
    let second = asking.document(None)?;
    ensure(first.tag != second.tag, || format!("two documents have one tag, `{}`", first.tag.as_str()))?;
    let status = connect(session.builder())?.status();
    ensure(status.tag.as_deref() == Some(second.tag.as_str()), || {
        format!("the status does not have the tag `{}`: {}", second.tag.as_str(), describe(&status))
    })
}

pub(super) fn unchanged(session: &mut Session<'_>) -> Outcome {
    session.publish(1);
    let mut asking = session.asking()?;
    let tag = asking.document(None)?.tag;
    for _ in 0..2 {
        let answer = asking.ask(Some(&tag))?;
        ensure(answer == Fetched::Unchanged, || {
            format!("asked with the tag `{}` of its document, the source does not say `unchanged`", tag.as_str())
        })?;
    }
    let tide = connect(session.builder())?;
    let before = tide.status();
    let after = session.until("two more polls", &tide, |status| status.polls >= before.polls + 2)?;
    let is_later = after.fresh_at > before.fresh_at;
    ensure(is_later && after.health == Health::Fresh && after.digest == before.digest, || {
        format!("an unchanged document does not keep the instance fresh: {}", describe(&after))
    })
}

pub(super) fn changed(session: &mut Session<'_>) -> Outcome {
    let tide = session.with_version_1(|builder| builder)?;
    let mut asking = session.asking()?;
    let before = asking.document(None)?;
    session.publish(2);
    let after = asking.document(Some(&before.tag))?;
    ensure(before.body == document(1) && after.body == document(2), || {
        "the source does not give the text that was published, byte by byte".to_owned()
    })?;
    session.until("the new document and its tag are active", &tide, |status| {
        version(&tide) == 2 && status.tag.as_deref() == Some(after.tag.as_str())
    })?;
    Ok(())
}

pub(super) fn refused(session: &mut Session<'_>) -> Outcome {
    let tide = session.with_version_1(|builder| builder)?;
    let tag = tide.status().tag;
    session.subject.publish(NO_DOCUMENT);
    let status = session.until("the text is refused", &tide, |status| status.health == Health::Refused)?;
    ensure(status.refused.is_some() && status.tag == tag, || {
        format!("a refused text leaves another tag, or no reason: {}", describe(&status))
    })?;
    keeps_version_1(&tide, &status)?;
    session.publish(2);
    session.until("the next good document is active", &tide, |status| {
        version(&tide) == 2 && status.health == Health::Fresh && status.refused.is_none()
    })?;
    Ok(())
}

pub(super) fn unreachable(session: &mut Session<'_>) -> Result<Outage, String> {
    let tide = session.with_version_1(|builder| builder)?;
    let tag = tide.status().tag;
    session.subject.make_unreachable();
    let status = session.until("the error is seen twice", &tide, |status| {
        has_error(status) && status.last_error.as_ref().is_some_and(|error| error.count >= 2)
    })?;
    keeps_version_1(&tide, &status)?;
    ensure(status.tag == tag, || format!("the tag of the active document is lost: {}", describe(&status)))?;
    drop(tide);
    let restarted = connect(session.builder())?;
    let restarted_status = session.until("the error is seen after a restart", &restarted, has_error)?;
    keeps_version_1(&restarted, &restarted_status)?;
    let uncached = connect(session.builder().without_cache())?;
    let uncached_status = session.until("the error is seen without a cache", &uncached, has_error)?;
    ensure(version(&uncached) == 0, || "without a cache readers do not have their defaults".to_owned())?;
    Ok(Outage {
        health: status.health,
        message: message(&status).replace(&format!("`{}`", session.source_name()), "`SOURCE`"),
        restarted_health: restarted_status.health,
        restarted_from: restarted_status.served_from,
        uncached_from: uncached_status.served_from,
    })
}

pub(super) fn back(session: &mut Session<'_>) -> Outcome {
    let tide = session.with_version_1(|builder| builder)?;
    session.subject.make_unreachable();
    session.until("the error is seen", &tide, has_error)?;
    session.subject.make_reachable();
    let status = session.until("the instance is fresh again", &tide, is_fresh)?;
    keeps_version_1(&tide, &status)?;
    session.publish(2);
    session.until("the next document is active", &tide, |status| is_fresh(status) && version(&tide) == 2)?;
    Ok(())
}

pub(super) fn slow(session: &mut Session<'_>) -> Outcome {
    let tide = session.with_version_1(|builder| builder.timeout(SLOW_TIMEOUT))?;
    session.subject.make_slow();
    let status = session.until("the timeout is seen", &tide, has_error)?;
    keeps_version_1(&tide, &status)?;
    let began = Instant::now();
    drop(connect(session.builder().without_cache().startup_wait(Duration::ZERO))?);
    ensure(began.elapsed() < END_MAX, || format!("an instance took {:?} to start and to end", began.elapsed()))?;
    session.subject.make_reachable();
    session.publish(2);
    session.until("the next document is active", &tide, |status| is_fresh(status) && version(&tide) == 2)?;
    session.subject.make_slow();
    session.until("the timeout is seen again", &tide, has_error)?;
    let began = Instant::now();
    drop(tide);
    let elapsed = began.elapsed();
    session.subject.make_reachable();
    ensure(elapsed < END_MAX, || format!("the end of the instance took {elapsed:?}"))
}

pub(super) fn too_large(session: &mut Session<'_>) -> Outcome {
    let tide = session.with_version_1(|builder| builder)?;
    session.subject.publish(&too_large_document());
    let status = session.until("the size is an error", &tide, has_error)?;
    keeps_version_1(&tide, &status)?;
    let limit = BODY_BYTES_MAX.to_string();
    ensure(message(&status).contains(&limit), || {
        format!("the message does not tell the limit of {limit} bytes: {}", describe(&status))
    })?;
    session.publish(2);
    session.until("the next document is active", &tide, |status| is_fresh(status) && version(&tide) == 2)?;
    Ok(())
}

pub(super) fn no_secrets(session: &mut Session<'_>) -> Outcome {
    let tide = session.with_version_1(|builder| builder.timeout(SLOW_TIMEOUT))?;
    let mut seen = vec![session.source_name(), format!("{:?}", session.builder())];
    let mut asking = session.asking()?;
    session.subject.make_unreachable();
    let status = session.until("the error is seen", &tide, has_error)?;
    seen.extend([told(&status)?, asking.ask(None).err().unwrap_or_default()]);
    if session.subject.can_be_slow() {
        session.subject.make_reachable();
        session.until("the instance is fresh again", &tide, is_fresh)?;
        session.subject.make_slow();
        seen.push(told(&session.until("the timeout is seen", &tide, has_error)?)?);
    }
    session.subject.make_reachable();
    session.subject.publish(NO_DOCUMENT);
    seen.push(told(&session.until("the text is refused", &tide, |status| status.health == Health::Refused)?)?);
    session.subject.publish(&too_large_document());
    seen.push(told(&session.until("the size is an error", &tide, has_error)?)?);
    for secret in session.subject.secrets() {
        let shown = seen.iter().find(|text| text.contains(&secret));
        // The log of a test is no place for it either.
        ensure(shown.is_none(), || {
            let text = shown.map_or("", |text| text).replace(&secret, "<the secret>");
            format!("a message shows a secret: {text}")
        })?;
    }
    Ok(())
}

fn has_error(status: &Status) -> bool {
    status.health == Health::Stale && status.last_error.is_some()
}

fn is_fresh(status: &Status) -> bool {
    status.health == Health::Fresh && status.last_error.is_none()
}

fn keeps_version_1(tide: &Tidegate, status: &Status) -> Outcome {
    ensure(version(tide) == 1, || format!("the last good document did not stay active: {}", describe(status)))
}

fn message(status: &Status) -> String {
    status.last_error.as_ref().map(|error| error.message.clone()).unwrap_or_default()
}

/// Everything that a status tells.
fn told(status: &Status) -> Result<String, String> {
    serde_json::to_string(status).map_err(|error| error.to_string())
}

/// A good document but for its size.
fn too_large_document() -> Vec<u8> {
    let mut text = document(3);
    text.resize(BODY_BYTES_MAX + 1, b' ');
    text
}

/// JSON, but no document.
const NO_DOCUMENT: &[u8] = br#"{"features": {"version": {"new": 1}}}"#;

/// The patience of an instance whose source is made slow.
const SLOW_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest that an instance may take to end while its source does not answer.
const END_MAX: Duration = Duration::from_secs(8);
