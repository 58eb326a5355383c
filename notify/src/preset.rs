//! What Slack and Discord take, and their manners: marks that mean something there are escaped, nobody is called by a name
//! that stands in a file's name, and what is too long is cut.

use serde_json::{Value, json};

use crate::notice::Notice;

/// The longest text of a message in Slack, in characters (Slack, "chat.postMessage": 4,000 are recommended).
const LONGEST_FOR_SLACK: usize = 4000;
/// The longest content of a message in Discord, in characters (Discord, "Execute Webhook").
const LONGEST_FOR_DISCORD: usize = 2000;

/// A message for an incoming webhook of Slack, or of what is compatible with it (Mattermost, Rocket.Chat).
pub(crate) fn slack(notice: &Notice) -> Value {
    // Slack, "Formatting text": these three, and no others, are to be escaped; `<!channel>` and links begin with the second.
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = escaped(&notice.title).replace('*', "∗");
    let text = format!("*{title}*\n{}", escaped(&notice.text_with_link()));
    json!({ "text": cut(&text, LONGEST_FOR_SLACK) })
}

/// A message for a webhook of Discord.
pub(crate) fn discord(notice: &Notice) -> Value {
    let escaped = |text: &str| {
        let mut plain = String::with_capacity(text.len());
        for char in text.chars() {
            if matches!(char, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '#' | '[' | ']') {
                plain.push('\\');
            }
            plain.push(char);
        }
        plain
    };
    let link = notice.link.as_ref().map(|link| format!("\n\n{link}")).unwrap_or_default();
    let text = format!("**{}**\n{}{link}", escaped(&notice.title), escaped(&notice.text));
    // Nobody is called: neither @everyone nor whoever is named like a file.
    json!({ "content": cut(&text, LONGEST_FOR_DISCORD), "allowed_mentions": { "parse": [] } })
}

/// The text, cut to so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    // Counted as UTF-16 has them, which is the strictest way of counting that a server may have.
    let mut left = most;
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    left -= 1;
    let fits = |char: &char| {
        let fits = char.len_utf16() <= left;
        left = left.saturating_sub(char.len_utf16());
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::{cut, discord, slack};
    use crate::notice::{Notice, example};

    #[test]
    fn slack_is_told_in_its_own_marks_and_nobody_is_called() {
        let notice = Notice { text: "<!channel> a & b".into(), link: None, ..example() };
        assert_eq!(slack(&notice)["text"], "*home failed*\n&lt;!channel&gt; a &amp; b");
        let long = Notice { text: "x".repeat(10_000), ..example() };
        assert_eq!(slack(&long)["text"].as_str().expect("a text").chars().count(), 4000);
    }

    #[test]
    fn discord_is_told_in_its_own_marks_and_nobody_is_called() {
        let notice = Notice { text: "@everyone IMG_1_2.jpg".into(), ..example() };
        let message = discord(&notice);
        let expected = "**home failed**\n@everyone IMG\\_1\\_2.jpg\n\nhttps://nas.example/runs/0199";
        assert_eq!(message["content"], expected);
        assert_eq!(message["allowed_mentions"]["parse"], serde_json::json!([]));
        let long = Notice { text: "🎞".repeat(2000), ..example() };
        let content = discord(&long)["content"].as_str().expect("a text").to_owned();
        assert!(content.encode_utf16().count() <= 2000 && content.ends_with('…'));
    }

    #[test]
    fn what_fits_is_not_cut() {
        assert_eq!(cut("four", 4), "four");
        assert_eq!(cut("fives", 4), "fiv…");
        assert_eq!(cut("🎞🎞", 3), "🎞…");
    }
}
