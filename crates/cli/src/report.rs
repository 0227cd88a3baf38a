//! Diagnostics for people: message, place, the line with carets under it, and what to do.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use tidegate_engine::{Diagnostic, Place, Severity};

use crate::text::escape;

/// The diagnostics of one document, each as a paragraph, an empty line between them. Without the text there
/// are places, but no lines.
pub(crate) fn render(diagnostics: &[Diagnostic], source: &str, text: Option<&[u8]>) -> String {
    let text = text.map(legible);
    let paragraphs: Vec<String> = diagnostics.iter().map(|found| paragraph(found, source, text.as_deref())).collect();
    paragraphs.join("\n\n")
}

fn paragraph(found: &Diagnostic, source: &str, text: Option<&str>) -> String {
    let level = match found.code.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let path = found.path.to_string();
    let mut elements: Vec<Element<'_>> = Vec::new();
    let origin = || {
        let origin = Origin::path(escape(source));
        match &found.place {
            Some(place) => origin.line(place.line as usize).char_column(place.column as usize),
            None => origin,
        }
    };
    if let (Some(place), Some(text)) = (&found.place, text) {
        let shown = Window::around(place, text);
        let label = if path.is_empty() { None } else { Some(&*path) };
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
            elements.push(Level::NOTE.with_name("at").message(&*path).into());
        }
    }
    if !found.help.is_empty() {
        elements.push(Level::HELP.message(&*found.help).into());
    }
    let group = level.primary_title(&*found.message).id(found.code.as_str()).elements(elements);
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
    /// The first line of a place; of a very long line only what is around it.
    fn around(place: &Place, text: &'t str) -> Self {
        let start = text.floor_char_boundary(place.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let is_cut = start - line_start > BYTES_BEFORE;
        let from = if is_cut { text.ceil_char_boundary(start - BYTES_BEFORE) } else { line_start };
        let to = text.floor_char_boundary(line_end.min(start + BYTES_AFTER));
        let end = text.ceil_char_boundary(place.span.end).clamp(start, to);
        Self { text: &text[from..to], span: start - from..end - from, is_cut }
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
