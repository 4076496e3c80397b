//! Splits an expanded value at its blanks, but not at those that came out of quotes or escapes.

/// The words found so far.
#[derive(Default)]
pub(super) struct Words {
    done: Vec<String>,
    word: String,
}

impl Words {
    /// Text whose blanks end words.
    pub(super) fn push_splitting(&mut self, text: &str) {
        for character in text.chars() {
            if character.is_whitespace() {
                self.end_word();
            } else {
                self.word.push(character);
            }
        }
    }

    /// Text that belongs to the current word whatever is in it.
    pub(super) fn push_whole(&mut self, text: &str) {
        self.word.push_str(text);
    }

    /// All words; empty ones do not count.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.end_word();
        self.done
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            self.done.push(std::mem::take(&mut self.word));
        }
    }
}
