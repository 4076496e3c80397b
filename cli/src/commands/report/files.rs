//! Files on the page: folders that open, the largest first, and the largest files.

use std::collections::HashMap;
use std::fmt::Write;

use tug_layer_store::View;

use super::html::{Cut, SHORT, escaped, path};
use super::tree::{Shown, Sized, Tree};
use crate::human;

/// Lines of the tree. Together with the names, which are cut, that is less than 700 kB.
const LINES: usize = 1800;
/// Things of one folder.
const EACH: usize = 15;
/// Folders in folders; browsers give up at some hundreds.
const DEEPEST: usize = 24;
/// Files in the list of the largest.
const LARGEST: usize = 40;
const MOST: usize = 100_000;
/// Bytes of a name in the tree.
const NAME: usize = 150;

/// What is in an image.
pub(super) fn section(name: &str, view: &View) -> String {
    let tree = Tree::of(view);
    let Some(root) = tree.root.as_ref().filter(|root| root.files > 0) else {
        return "<p class=\"note\">It has no files.</p>\n".to_owned();
    };
    let shown = tree.shown(LINES, EACH, DEEPEST);
    let mut html = format!(
        "<p class=\"note\">{} in {}, as a container sees them. The largest come first.</p>\n<div class=\"tree\">",
        human::size(root.bytes),
        human::counted(usize::try_from(root.files).unwrap_or(usize::MAX), "file")
    );
    folder(&mut html, root, &shown, 0);
    html += "</div>\n<h3>The largest files</h3>\n";
    let mut rows = Cut::new(MOST);
    for file in tree.largest(LARGEST) {
        rows.add(&format!(
            "<tr><td class=\"n\">{}</td><td class=\"p\"><code>/{}</code></td></tr>",
            human::size(file.bytes),
            path(&file.path)
        ));
    }
    let command = format!("tug ls -R -l {name}");
    html += &rows.finish("<div class=\"scroll\"><table><tbody>", "</tbody></table></div>", &command);
    let _ = writeln!(html, "<p class=\"note\">All of them: <code>{}</code></p>", escaped(&command, SHORT));
    html
}

fn folder(html: &mut String, this: &Sized, shown: &HashMap<Vec<u8>, Shown>, depth: usize) {
    // A text cannot fail to be written to, here and below.
    let open = if depth == 0 { " open=\"\"" } else { "" };
    let _ = write!(html, "<details{open}><summary>{}</summary>", line(this));
    match shown.get(&this.path) {
        Some(Shown { children, rest }) => {
            for child in children {
                match child.is_folder {
                    true => folder(html, child, shown, depth + 1),
                    false => {
                        let _ = write!(html, "<div class=\"leaf\">{}</div>", line(child));
                    }
                }
            }
            if let (count @ 1.., bytes) = *rest {
                let bytes = human::size(bytes);
                let _ = write!(html, "<div class=\"leaf dim\">{count} more, {bytes}</div>");
            }
        }
        None if this.files > 0 => html.push_str("<div class=\"leaf dim\">not on this page</div>"),
        None => html.push_str("<div class=\"leaf dim\">empty</div>"),
    }
    html.push_str("</details>");
}

fn line(this: &Sized) -> String {
    let name = this.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let slash = if this.is_folder { "/" } else { "" };
    let name = escaped(&String::from_utf8_lossy(name), NAME);
    format!("<b>{}</b> <code>{name}{slash}</code>", human::size(this.bytes))
}
