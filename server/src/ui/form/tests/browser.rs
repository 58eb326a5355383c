//! What a browser would send of a form as it is drawn. It understands what we write, and no other HTML.

/// The successful controls, in the order of the document.
pub(super) fn submit(html: &str) -> Vec<(String, String)> {
    let mut sent = Vec::new();
    let mut rest = html;
    while let Some((tag, behind)) = next_tag(rest) {
        rest = behind;
        let Some(name) = attribute(tag, "name") else { continue };
        if tag.starts_with("input") {
            let is_box = attribute(tag, "type").as_deref() == Some("checkbox");
            if !is_box || tag.split_whitespace().any(|word| word == "checked") {
                sent.push((name, attribute(tag, "value").unwrap_or_default()));
            }
        } else if tag.starts_with("textarea") {
            let (text, behind) = rest.split_once("</textarea>").expect("it ends");
            let text = text.strip_prefix('\n').unwrap_or(text);
            sent.push((name, plain(text).replace('\n', "\r\n")));
            rest = behind;
        } else if tag.starts_with("select") {
            let (options, behind) = rest.split_once("</select>").expect("it ends");
            sent.push((name, chosen(options)));
            rest = behind;
        }
    }
    sent
}

fn chosen(mut options: &str) -> String {
    let (mut first, mut chosen) = (None, None);
    while let Some((tag, behind)) = next_tag(options) {
        options = behind;
        if !tag.starts_with("option") {
            continue;
        }
        let value = attribute(tag, "value").expect("an option has a value");
        if tag.split_whitespace().any(|word| word == "selected") {
            chosen = Some(value.clone());
        }
        first = first.or(Some(value));
    }
    chosen.or(first).unwrap_or_default()
}

fn next_tag(html: &str) -> Option<(&str, &str)> {
    html.split_once('<')?.1.split_once('>')
}

pub(super) fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, behind) = tag.split_once(&format!(" {name}=\""))?;
    Some(plain(behind.split_once('"')?.0))
}

fn plain(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
