//! The share over time, as a picture: SVG that needs nothing beside it, in light and in dark.
//!
//! A few flags are drawn as lines on one grid with a legend; many as one band each. Everything that moves
//! in the time shown is in it; names are escaped, so that no document can put elements into the picture.

use std::fmt::Write as _;

use tidegate_engine::forecast::{Curve, Forecast};
use tidegate_engine::{Micros, Share};

use crate::axis;
use crate::relative::short;
use crate::text::{escape, shorten};

/// Draws the forecast; `source` is shown in the title.
pub(crate) fn draw(forecast: &Forecast<'_>, source: &str) -> String {
    let moving = || forecast.curves.iter().filter(|curve| curve.changes_within(forecast.from, forecast.to));
    let curves: Vec<&Curve<'_>> = if forecast.curves.len() == 1 || moving().next().is_none() {
        forecast.curves.iter().take(LINES_MOST).collect()
    } else {
        moving().collect()
    };
    let title = match &*forecast.curves {
        [curve] => escape(&curve.name).into_owned(),
        _ => escape(source).into_owned(),
    };
    let picture = Picture { forecast, curves };
    if picture.curves.len() <= LINES_MOST { picture.lines(&title) } else { picture.bands(&title) }
}

/// What is drawn.
struct Picture<'o, 's> {
    forecast: &'o Forecast<'s>,
    curves: Vec<&'o Curve<'s>>,
}

/// A rectangle to draw a share in: 100 per cent at its top, 0 at its bottom.
#[derive(Clone, Copy, Debug)]
struct Field {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Picture<'_, '_> {
    /// All flags as lines on one grid.
    fn lines(&self, title: &str) -> String {
        let field = Field { left: 64.0, top: HEAD, width: WIDTH - 64.0 - MARGIN, height: 340.0 };
        let legend_top = field.bottom() + 58.0;
        let height = legend_top + LEGEND_LINE * count(self.curves.len()) + 10.0;
        let mut svg = self.head(title, height);
        for percent in [0, 25, 50, 75, 100] {
            let y = field.bottom() - field.height * f64::from(percent) / 100.0;
            let _ = writeln!(
                svg,
                r#"<line class="grid" x1="{}" y1="{y:.1}" x2="{}" y2="{y:.1}"/><text class="label" x="{}" y="{:.1}" text-anchor="end">{percent} %</text>"#,
                field.left,
                field.right(),
                field.left - 10.0,
                y + 4.0
            );
        }
        self.axis(&mut svg, field);
        let is_single = self.curves.len() == 1;
        for (number, curve) in self.curves.iter().enumerate() {
            if is_single {
                let _ = writeln!(svg, r#"<path class="area c{number}" d="{}"/>"#, self.area(curve, field));
            }
            let _ = writeln!(svg, r#"<path class="line c{number}" d="{}"/>"#, self.line(curve, field));
        }
        self.now(&mut svg, field);
        for (number, curve) in self.curves.iter().enumerate() {
            self.legend(&mut svg, number, curve, field.left, legend_top + LEGEND_LINE * count(number));
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Each flag as a band of its own under the others.
    fn bands(&self, title: &str) -> String {
        let shown = &self.curves[..self.curves.len().min(BANDS_MOST)];
        let names = 250.0;
        let whole = Field {
            left: MARGIN + names,
            top: HEAD,
            width: WIDTH - 2.0 * MARGIN - names - 60.0,
            height: BAND * count(shown.len()),
        };
        let rest = self.curves.len() - shown.len();
        let height = whole.bottom() + if rest > 0 { 76.0 } else { 52.0 };
        let mut svg = self.head(title, height);
        self.axis(&mut svg, whole);
        for (number, curve) in shown.iter().enumerate() {
            let band = Field { top: whole.top + BAND * count(number) + 6.0, height: BAND - 6.0, ..whole };
            let color = number % LINES_MOST;
            let middle = band.top + band.height / 2.0 + 4.0;
            let _ = writeln!(
                svg,
                r#"<line class="grid" x1="{}" y1="{y:.1}" x2="{}" y2="{y:.1}"/><text class="name" x="{}" y="{middle:.1}" text-anchor="end">{}</text><text class="label" x="{}" y="{middle:.1}">{} %</text>"#,
                band.left,
                band.right(),
                band.left - 12.0,
                xml(&shorten(&escape(&curve.name), 34)),
                band.right() + 8.0,
                brief(curve.share_at(self.forecast.to)),
                y = band.bottom()
            );
            let _ = writeln!(svg, r#"<path class="area c{color}" d="{}"/>"#, self.area(curve, band));
            let _ = writeln!(svg, r#"<path class="line thin c{color}" d="{}"/>"#, self.line(curve, band));
        }
        self.now(&mut svg, whole);
        if rest > 0 {
            let _ = writeln!(
                svg,
                r#"<text class="label" x="{}" y="{:.1}">and {rest} more that move</text>"#,
                whole.left,
                whole.bottom() + 60.0
            );
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Everything up to the title.
    fn head(&self, title: &str, height: f64) -> String {
        let (from, to) = (short(self.forecast.from), short(self.forecast.to));
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" width="{WIDTH}" height="{height:.0}" role="img" aria-labelledby="title about">
<title id="title">{full}: share on new over time</title>
<desc id="about">From {from} to {to}, as planned at {now}.</desc>
<style>{STYLE}</style>
<rect class="paper" width="{WIDTH}" height="{height:.0}"/>
<text class="title" x="{MARGIN}" y="36">{shown}</text>
<text class="label" x="{MARGIN}" y="57">share on new, {from} to {to}</text>
"#,
            from = date(&from),
            to = date(&to),
            now = short(self.forecast.now),
            full = xml(title),
            shown = xml(&shorten(title, 70))
        )
    }

    /// The marks of the time axis.
    fn axis(&self, svg: &mut String, field: Field) {
        for mark in axis::marks(self.forecast.from, self.forecast.to, 8) {
            let Some(x) = self.x(mark.at, field) else { continue };
            let _ = writeln!(
                svg,
                r#"<line class="grid" x1="{x:.1}" y1="{}" x2="{x:.1}" y2="{:.1}"/><text class="label" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                field.top,
                field.bottom() + 6.0,
                x.min(WIDTH - 40.0),
                field.bottom() + 24.0,
                mark.label
            );
        }
    }

    /// The line at now.
    fn now(&self, svg: &mut String, field: Field) {
        let Some(x) = self.x(self.forecast.now, field) else { return };
        let _ = writeln!(
            svg,
            r#"<line class="now" x1="{x:.1}" y1="{:.1}" x2="{x:.1}" y2="{:.1}"/><text class="nowlabel" x="{x:.1}" y="{:.1}" text-anchor="middle">now</text>"#,
            field.top - 6.0,
            field.bottom(),
            field.top - 11.0
        );
    }

    fn legend(&self, svg: &mut String, number: usize, curve: &Curve<'_>, x: f64, y: f64) {
        let ends = format!(
            "{} % now, {} % at the end",
            brief(curve.share_at(self.forecast.now)),
            brief(curve.share_at(self.forecast.to))
        );
        let _ = writeln!(
            svg,
            r#"<line class="line c{number}" x1="{x}" y1="{y:.1}" x2="{}" y2="{y:.1}"/><text class="name" x="{}" y="{:.1}">{}<tspan class="label" dx="12">{ends}</tspan></text>"#,
            x + 24.0,
            x + 34.0,
            y + 4.5,
            xml(&shorten(&escape(&curve.name), 80))
        );
    }

    /// The share's line: straight between its corners, upright where it jumps.
    fn line(&self, curve: &Curve<'_>, field: Field) -> String {
        let mut path = String::new();
        for (at, share) in curve.corners(self.forecast.from, self.forecast.to) {
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", self.x(at, field).unwrap_or(field.left), field.y(share));
        }
        path
    }

    /// The same, closed along the bottom.
    fn area(&self, curve: &Curve<'_>, field: Field) -> String {
        let line = self.line(curve, field);
        format!("{line}L{:.1} {:.1}L{:.1} {:.1}Z", field.right(), field.bottom(), field.left, field.bottom())
    }

    fn x(&self, at: Micros, field: Field) -> Option<f64> {
        self.forecast.place(at).map(|place| field.left + field.width * place)
    }
}

impl Field {
    fn right(self) -> f64 {
        self.left + self.width
    }

    fn bottom(self) -> f64 {
        self.top + self.height
    }

    #[expect(clippy::cast_precision_loss, reason = "a place on a picture, and 2^32 is exact in a double")]
    fn y(self, share: Share) -> f64 {
        self.bottom() - self.height * share.get() as f64 / Share::FULL.get() as f64
    }
}

/// A share with at most two decimals.
fn brief(share: Share) -> String {
    let hundredths = share.to_millionths() / 10_000;
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An instant without its seconds.
fn date(short: &str) -> String {
    short.get(..16).map_or_else(|| short.to_owned(), |minutes| format!("{minutes}Z"))
}

#[expect(clippy::cast_precision_loss, reason = "at most as many as there are bands")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Text that is no element, entity or attribute.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 28.0;
/// Title, subtitle and the word `now` above the field.
const HEAD: f64 = 92.0;
const LEGEND_LINE: f64 = 24.0;
const BAND: f64 = 34.0;
/// The number of lines that can be told apart on one grid; also the number of colours.
const LINES_MOST: usize = 8;
/// More bands than that are no picture any more.
const BANDS_MOST: usize = 60;

/// Two sets of colours that differ also in lightness. They are written out, because some programs that draw
/// SVG know no variables.
const STYLE: &str = "
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
.title{font-size:20px;font-weight:600}.name{font-size:13px}.label{font-size:12px}.nowlabel{font-size:12px;font-weight:600}
.grid{stroke-width:1}.line{fill:none;stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}.line.thin{stroke-width:1.5}
.area{stroke:none;opacity:.16}.now{stroke-width:1.5;stroke-dasharray:4 4}
.paper{fill:#fff}.title,.name{fill:#1b2430}.label{fill:#5d6b7a}.grid{stroke:#e3e8ee}.now{stroke:#c2410c}.nowlabel{fill:#c2410c}
.line.c0{stroke:#0b6bcb}.area.c0{fill:#0b6bcb}.line.c1{stroke:#c2255c}.area.c1{fill:#c2255c}.line.c2{stroke:#2b8a3e}.area.c2{fill:#2b8a3e}.line.c3{stroke:#a15c00}.area.c3{fill:#a15c00}
.line.c4{stroke:#7048e8}.area.c4{fill:#7048e8}.line.c5{stroke:#0b7285}.area.c5{fill:#0b7285}.line.c6{stroke:#862e9c}.area.c6{fill:#862e9c}.line.c7{stroke:#5c6670}.area.c7{fill:#5c6670}
@media (prefers-color-scheme:dark){
.paper{fill:#11161c}.title,.name{fill:#e6edf3}.label{fill:#93a1b0}.grid{stroke:#27313c}.now{stroke:#ff9d5c}.nowlabel{fill:#ff9d5c}
.line.c0{stroke:#5ab0ff}.area.c0{fill:#5ab0ff}.line.c1{stroke:#ff8fb3}.area.c1{fill:#ff8fb3}.line.c2{stroke:#6fdc8c}.area.c2{fill:#6fdc8c}.line.c3{stroke:#f2b84b}.area.c3{fill:#f2b84b}
.line.c4{stroke:#b39dff}.area.c4{fill:#b39dff}.line.c5{stroke:#5fd4e6}.area.c5{fill:#5fd4e6}.line.c6{stroke:#e59cf5}.area.c6{fill:#e59cf5}.line.c7{stroke:#b4bec8}.area.c7{fill:#b4bec8}}
";
