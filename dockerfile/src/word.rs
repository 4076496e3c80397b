//! One value of an instruction as it stands in the file, before variables are replaced.

use crate::Span;

/// A value whose variables, quotes and escapes are not resolved yet.
///
/// Give [`raw`](Self::raw) to [`expand`](crate::expand()) where the language says so
/// ([`Instruction::expandables`](crate::Instruction::expandables) lists those); elsewhere it is the value
/// itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text. For a JSON array it is the decoded string, for a flag the value without the quotes around
    /// it.
    pub raw: String,
    /// Where it stands.
    pub span: Span,
}

impl Word {
    /// A value found at `span`.
    pub fn new(raw: impl Into<String>, span: Span) -> Self {
        Self { raw: raw.into(), span }
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        &self.raw
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.raw)
    }
}
