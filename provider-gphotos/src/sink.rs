//! The way photos go out: sending bytes, and making items of them.

use async_trait::async_trait;
use charon_provider::{
    Class, Content, Error, KeepSession, Placement, Reason, RemoteItem, Session, Sink, Staged, Storage as _,
    UploadToken,
};
use jiff::SignedDuration;
use secrecy::ExposeSecret;

use crate::{
    api::{self, API, COMMITTING, ItemResult, NewItem},
    error,
    facts::FILE_NAME_CHARS,
    source::remote_item,
    storage::GPhotosStorage,
};

/// An upload token is good for a day; the last hour is left for the commit to wait its turn.
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(23);

#[async_trait]
impl Sink for GPhotosStorage {
    async fn send(
        &self,
        content: &Content,
        session: Option<&Session>,
        keep: &dyn KeepSession,
    ) -> Result<UploadToken, Error> {
        if content.length == 0 {
            return Err(Error::new(Class::Item, "send the bytes of a file", "the file is empty"));
        }
        // The day is counted from before the bytes go out, which errs on the safe side.
        let now = self.api.host().now();
        let token = self.api.upload(content, session, keep).await?;
        Ok(UploadToken { token, valid_until: now.checked_add(TOKEN_LIFETIME).unwrap_or(now) })
    }

    fn requests_to_send(&self, length: u64) -> u32 {
        api::requests_to_send(length)
    }

    async fn commit(
        &self,
        album: Option<&Placement>,
        staged: &[Staged],
    ) -> Result<Vec<Result<RemoteItem, Error>>, Error> {
        if staged.is_empty() {
            return Ok(Vec::new());
        }
        let items: Vec<_> = staged.iter().map(|one| self.new_item(one)).collect();
        let results = self.api.create_items(album, &items).await?;
        let tokens: Vec<&str> = staged.iter().map(|one| one.token.token.expose_secret()).collect();
        let now = self.api.host().now();
        let outcome = |(result, token): (Option<ItemResult>, &str)| {
            let unknown = |words| Error::new(Class::Transient, COMMITTING, words).because(Reason::Unanswered);
            let result = result.ok_or_else(|| unknown("Google's answer does not mention this item"))?;
            match result.media_item.and_then(|item| remote_item(item, now)) {
                Some(item) => Ok(item),
                None if result.status.code.0 == 0 => {
                    Err(unknown("Google says success and does not say which item"))
                }
                None => {
                    let message = result.status.message.replace(token, "[…]");
                    Err(error::item_status(COMMITTING, result.status.code.0, &message).at_cost(API))
                }
            }
        };
        Ok(api::matched(&tokens, results).into_iter().zip(tokens).map(outcome).collect())
    }
}

impl GPhotosStorage {
    fn new_item<'a>(&self, staged: &'a Staged) -> NewItem<'a> {
        let description = staged.description.as_deref().unwrap_or_default().trim();
        NewItem {
            file_name: short_name(&staged.file_name),
            description: shortened(description, self.facts().limits.description_chars),
            token: &staged.token.token,
        }
    }
}

/// Text of at most so many characters. They are counted in UTF-16, the strictest reading of "characters" that there is.
fn shortened(text: &str, most: usize) -> String {
    let mut room = most;
    text.chars()
        .take_while(|c| {
            let fits = c.len_utf16() <= room;
            room = room.saturating_sub(c.len_utf16());
            fits
        })
        .collect()
}

/// A file name that is short enough for Google, with its extension.
fn short_name(name: &str) -> String {
    let length = |text: &str| text.encode_utf16().count();
    if length(name) <= FILE_NAME_CHARS {
        return name.to_owned();
    }
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 && length(&name[dot..]) <= 16 => name.split_at(dot),
        _ => (name, ""),
    };
    shortened(stem, FILE_NAME_CHARS - length(extension)) + extension
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn a_name_that_is_too_long_keeps_its_extension() {
        assert_eq!(short_name("a.jpg"), "a.jpg");
        let long = short_name(&format!("{}.jpeg", "é".repeat(300)));
        assert_eq!(long.chars().count(), 255);
        assert!(long.ends_with("é.jpeg"));
        assert_eq!(short_name(&"📷".repeat(200)).chars().count(), 127);
        assert_eq!(short_name(&format!(".{}", "x".repeat(400))).len(), 255);
    }
}
