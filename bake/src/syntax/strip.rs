//! `~` in `${~ … ~}` and `%{~ … ~}`: the spaces and line breaks that it takes away beside it.

use hcl_edit::template::{Directive, Element, Strip};

/// Whether spaces go at the start and at the end of something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strips {
    pub(super) start: bool,
    pub(super) end: bool,
}

impl Strips {
    /// What one marker takes away: before it (`start`) and behind it (`end`).
    pub(super) fn of(strip: Strip) -> Self {
        Self {
            start: matches!(strip, Strip::Start | Strip::Both),
            end: matches!(strip, Strip::End | Strip::Both),
        }
    }

    /// What an element takes away from its neighbours.
    pub(super) fn outside(element: &Element) -> Self {
        match element {
            Element::Literal(_) => Self::default(),
            Element::Interpolation(inner) => Self::of(inner.strip),
            Element::Directive(directive) => match directive.as_ref() {
                Directive::If(branch) => Self {
                    start: Self::of(branch.if_expr.strip).start,
                    end: Self::of(branch.endif_expr.strip).end,
                },
                Directive::For(each) => Self {
                    start: Self::of(each.for_expr.strip).start,
                    end: Self::of(each.endfor_expr.strip).end,
                },
            },
        }
    }

    /// The text without them.
    pub(super) fn apply(self, text: &str) -> String {
        let text = if self.start { text.trim_start() } else { text };
        let text = if self.end { text.trim_end() } else { text };
        text.to_owned()
    }
}
