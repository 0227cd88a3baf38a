//! Renders diagnostics for people: message, place, the line with carets under it, and help.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use tidegate_engine::{Diagnostic, Place, Severity};

use crate::text::escape;

/// The diagnostics of one document, each as a paragraph, an empty line between them. Without the text there
/// are places, but no lines.
pub(crate) fn render(diagnostics: &[Diagnostic], source: &str, text: Option<&[u8]>) -> String {
    let found: Vec<Found<'_>> = diagnostics.iter().map(Found::new).collect();
    render_found(&found, source, text)
}

/// The same for what others have found: a server in what was sent to it.
pub(crate) fn render_found(found: &[Found<'_>], source: &str, text: Option<&[u8]>) -> String {
    let text = text.map(legible);
    let paragraphs: Vec<String> = found.iter().map(|found| paragraph(found, source, text.as_deref())).collect();
    paragraphs.join("\n\n")
}

/// One finding, as it is shown. Texts are safe to print.
pub(crate) struct Found<'f> {
    pub(crate) severity: Severity,
    pub(crate) code: Cow<'f, str>,
    pub(crate) path: String,
    pub(crate) place: Option<Spot>,
    pub(crate) message: Cow<'f, str>,
    pub(crate) help: Cow<'f, str>,
}

/// Where something begins in a text: line and column from 1, in characters; and its bytes, where they are known.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) span: Option<Range<usize>>,
}

impl<'f> Found<'f> {
    fn new(found: &'f Diagnostic) -> Self {
        let spot = |place: &Place| Spot { line: place.line, column: place.column, span: Some(place.span.clone()) };
        Self {
            severity: found.code.severity(),
            code: found.code.as_str().into(),
            path: found.path.to_string(),
            place: found.place.as_ref().map(spot),
            message: found.message.as_str().into(),
            help: found.help.as_str().into(),
        }
    }
}

fn paragraph(found: &Found<'_>, source: &str, text: Option<&str>) -> String {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let path = &found.path;
    let mut elements: Vec<Element<'_>> = Vec::new();
    let origin = || {
        let origin = Origin::path(escape(source));
        match &found.place {
            Some(place) => origin.line(place.line as usize).char_column(place.column as usize),
            None => origin,
        }
    };
    let shown = found.place.as_ref().zip(text).and_then(|(place, text)| Some((place, Window::around(place, text)?)));
    if let Some((place, shown)) = shown {
        let label = if path.is_empty() { None } else { Some(&**path) };
        let annotation = AnnotationKind::Primary.span(shown.span).label(label);
        let snippet = Snippet::source(shown.text).line_start(place.line as usize).annotation(annotation);
        if shown.is_cut {
            elements.push(origin().into());
            elements.push(snippet.into());
        } else {
            elements.push(snippet.path(escape(source)).into());
        }
    } else {
        elements.push(origin().into());
        if !path.is_empty() {
            elements.push(Level::NOTE.with_name("at").message(&**path).into());
        }
    }
    if !found.help.is_empty() {
        elements.push(Level::HELP.message(&*found.help).into());
    }
    let group = level.primary_title(&*found.message).id(&*found.code).elements(elements);
    Renderer::styled().decor_style(DecorStyle::Ascii).render(&[group])
}

/// The line of a place.
struct Window<'t> {
    text: &'t str,
    /// Where in the text the place stands.
    span: Range<usize>,
    /// Whether the text does not begin where its line does.
    is_cut: bool,
}

impl<'t> Window<'t> {
    /// The first line of a place; of a very long line only what is around it. None where the text has no such place.
    fn around(place: &Spot, text: &'t str) -> Option<Self> {
        let span = match &place.span {
            Some(span) => span.clone(),
            None => bytes_at(text, place.line, place.column)?,
        };
        let start = text.floor_char_boundary(span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let is_cut = start - line_start > BYTES_BEFORE;
        let from = if is_cut { text.ceil_char_boundary(start - BYTES_BEFORE) } else { line_start };
        let to = text.floor_char_boundary(line_end.min(start + BYTES_AFTER));
        let end = text.ceil_char_boundary(span.end).clamp(start, to);
        Some(Self { text: &text[from..to], span: start - from..end - from, is_cut })
    }
}

/// The character at a line and a column.
fn bytes_at(text: &str, line: u32, column: u32) -> Option<Range<usize>> {
    let (mut rest, mut start) = (text, 0);
    for _ in 1..line {
        let end = rest.find('\n')? + 1;
        start += end;
        rest = &rest[end..];
    }
    let mut characters = rest.char_indices().skip(column.checked_sub(1)? as usize);
    match characters.next() {
        Some((offset, character)) => Some(start + offset..start + offset + character.len_utf8()),
        None => Some(text.len()..text.len()),
    }
}

/// The text with a `?` in place of each byte that is not UTF-8, so that places still hold.
fn legible(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    Cow::Owned(text)
}

/// What is shown of a long line before a place.
const BYTES_BEFORE: usize = 1_000;
/// What is shown of a long line from the beginning of a place on.
const BYTES_AFTER: usize = 1_000;
