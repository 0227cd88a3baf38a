//! From byte offsets to lines and columns: one pass over the text, only if there are findings.

use super::findings::Finding;
use crate::diagnostic::{Diagnostic, Place};

/// Findings, sorted by place, as diagnostics of this text.
pub(crate) fn locate(findings: Vec<Finding>, text: &[u8]) -> Vec<Diagnostic> {
    let mut walk = Walk { text, at: 0, line: 1, column: 1 };
    findings
        .into_iter()
        .map(|finding| {
            walk.advance_to(finding.span.start);
            let place = Place { span: finding.span, line: walk.line, column: walk.column };
            Diagnostic {
                code: finding.code,
                path: finding.path,
                place: Some(place),
                message: finding.message,
                help: finding.help,
            }
        })
        .collect()
}

struct Walk<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
    column: u32,
}

impl Walk<'_> {
    fn advance_to(&mut self, target: usize) {
        while self.at < target {
            let Some(&byte) = self.text.get(self.at) else { return };
            let is_mark = self.at == 0 && self.text.starts_with("\u{feff}".as_bytes());
            self.at += 1;
            if byte == b'\n' {
                self.line = self.line.saturating_add(1);
                self.column = 1;
            } else if byte & 0xc0 != 0x80 && !is_mark {
                // A byte that begins a character; a byte order mark at the front takes no column.
                self.column = self.column.saturating_add(1);
            }
        }
    }
}
