//! Text for a page: everything from an image is escaped, what could mislead a reader is made visible, nothing is endless.

use std::fmt::Write;

use crate::human;

/// Bytes of a path or a word on the page.
pub(super) const SHORT: usize = 240;
/// Bytes of a command or a value.
pub(super) const LONG: usize = 2000;

/// `text` for the page: it is one text wherever it stands, in an element or in an attribute. Characters that a browser
/// would obey, such as those that turn the direction, are shown as their numbers. What is longer than `most` bytes on
/// the page is cut.
pub(super) fn escaped(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let before = out.len();
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(letter),
            _ if is_invisible(letter) => {
                // A text cannot fail to be written to.
                let _ = write!(out, "\\u{{{:x}}}", letter as u32);
            }
            _ => out.push(letter),
        }
        if out.len() > most {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// Words of ours for the page: what stands between backticks is code.
pub(super) fn words(text: &str) -> String {
    let pieces = text.split('`').enumerate().map(|(number, piece)| match number % 2 {
        1 => format!("<code>{}</code>", escaped(piece, LONG)),
        _ => escaped(piece, LONG),
    });
    pieces.collect()
}

/// Bytes of a name in an image.
pub(super) fn path(path: &[u8]) -> String {
    escaped(&String::from_utf8_lossy(path), SHORT)
}

/// What steers a terminal, and what takes no room or turns the direction in a browser.
fn is_invisible(letter: char) -> bool {
    human::is_dangerous(letter)
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}'
                | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// A list on the page that ends when it has had its share of the page.
pub(super) struct Cut {
    html: String,
    most: usize,
    shown: usize,
    left_out: usize,
}

impl Cut {
    /// May take so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { html: String::new(), most, shown: 0, left_out: 0 }
    }

    /// Adds one more thing, unless there is no room for it.
    pub(super) fn add(&mut self, html: &str) {
        if self.left_out > 0 || self.html.len() + html.len() > self.most {
            self.left_out += 1;
        } else {
            self.html += html;
            self.shown += 1;
        }
    }

    /// The list between `before` and `after`, and a word about what is not in it. `command` shows all, if there is one that
    /// does.
    pub(super) fn finish(self, before: &str, after: &str, command: &str) -> String {
        let mut html = format!("{before}{}{after}\n", self.html);
        let shows = match command {
            "" => String::new(),
            command => format!(": <code>{}</code> shows all", escaped(command, SHORT)),
        };
        if self.left_out > 0 {
            let _ =
                writeln!(html, "<p class=\"note\">{} more are not on this page{shows}.</p>", self.left_out);
        }
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_an_image_is_markup() {
        assert_eq!(
            escaped("<script>alert('x')</script> & \"\u{202e}gnp.exe\"\u{200b}\x1b", 999),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;\\u{202e}gnp.exe&quot;\\u{200b}\\u{1b}"
        );
        assert_eq!(escaped("<<<<", 9), "&lt;&lt;…");
        assert!(path(&[0xff; 5000]).len() <= SHORT + 3);
    }

    #[test]
    fn code_in_words_of_ours_is_shown_as_such() {
        assert_eq!(words("use `a < b`, or `c`"), "use <code>a &lt; b</code>, or <code>c</code>");
        assert_eq!(words("a ` alone"), "a <code> alone</code>");
    }

    #[test]
    fn a_list_ends_when_it_had_its_share() {
        let mut cut = Cut::new(6);
        for piece in ["<a/>", "<bb/>", "<c/>"] {
            cut.add(piece);
        }
        assert_eq!(
            cut.finish("[", "]", "tug x <"),
            "[<a/>]\n<p class=\"note\">2 more are not on this page: <code>tug x &lt;</code> shows all.</p>\n"
        );
    }
}
