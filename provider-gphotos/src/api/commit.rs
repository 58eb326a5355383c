//! `mediaItems:batchCreate`: what was sent becomes items.

use charon_provider::{Error, Placement, Position};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    API, Api, Call,
    model::{ItemResult, list},
};
use crate::error::{self, Subject};

/// What a commit does, for errors.
pub(crate) const DOING: &str = "make items of what was sent";

/// What one new item is made of.
pub(crate) struct NewItem<'a> {
    pub(crate) file_name: String,
    /// Left out if it is empty.
    pub(crate) description: String,
    pub(crate) token: &'a SecretString,
}

impl NewItem<'_> {
    fn body(&self) -> Value {
        let mut body = json!({
            "simpleMediaItem": {"uploadToken": self.token.expose_secret(), "fileName": self.file_name}
        });
        if !self.description.is_empty() {
            body["description"] = self.description.as_str().into();
        }
        body
    }
}

impl Api {
    /// `POST /v1/mediaItems:batchCreate`: at most 50 items, into an album or none. The results come as the server gives
    /// them; see [`matched`].
    pub(crate) async fn create_items(
        &self,
        album: Option<&Placement>,
        items: &[NewItem<'_>],
    ) -> Result<Vec<ItemResult>, Error> {
        let new: Vec<_> = items.iter().map(NewItem::body).collect();
        let mut body = json!({ "newMediaItems": new });
        if let Some(placement) = album {
            body["albumId"] = placement.album.0.as_str().into();
            match &placement.position {
                // Where Google puts them unasked.
                Position::Last => {}
                Position::First => body["albumPosition"] = json!({"position": "FIRST_IN_ALBUM"}),
                Position::After(item) => {
                    body["albumPosition"] =
                        json!({"position": "AFTER_MEDIA_ITEM", "relativeMediaItemId": item.0});
                }
            }
        }
        let call = Call {
            doing: DOING,
            subject: Subject::Commit,
            cost: API,
            url: self.url(&["mediaItems:batchCreate"]),
            build: &|client, url| client.post(url).json(&body),
            progress: None,
        };
        let mut fields = self.call_for_object(&call).await?;
        list(&mut fields, "newMediaItemResults")
            .map_err(|words| error::unreadable(call.doing, call.subject, words))
    }
}

/// Brings results into the order of the tokens that were committed: by their token, or by their place where they name
/// none and there is one for each. `None` where the answer says nothing of a token.
pub(crate) fn matched(tokens: &[&str], results: Vec<ItemResult>) -> Vec<Option<ItemResult>> {
    let one_for_each = results.len() == tokens.len();
    let mut results: Vec<Option<ItemResult>> = results.into_iter().map(Some).collect();
    let by_token: Vec<Option<ItemResult>> = tokens
        .iter()
        .map(|token| {
            let named =
                |result: &Option<ItemResult>| result.as_ref().is_some_and(|r| r.upload_token == *token);
            results.iter().position(named).and_then(|at| results[at].take())
        })
        .collect();
    by_token
        .into_iter()
        .enumerate()
        .map(|(at, found)| {
            found.or_else(|| {
                let nameless = results.get(at)?.as_ref()?.upload_token.is_empty();
                if one_for_each && nameless { results[at].take() } else { None }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ItemResult, matched};

    fn result(token: &str, message: &str) -> ItemResult {
        let mut result = ItemResult { upload_token: token.to_owned(), ..ItemResult::default() };
        result.status.message = message.to_owned();
        result
    }

    fn messages(tokens: &[&str], results: Vec<ItemResult>) -> Vec<Option<String>> {
        matched(tokens, results).into_iter().map(|found| found.map(|result| result.status.message)).collect()
    }

    #[test]
    fn results_are_matched_by_token_whatever_their_order() {
        let found = messages(&["a", "b"], vec![result("b", "of b"), result("a", "of a")]);
        assert_eq!(found, [Some("of a".into()), Some("of b".into())]);
    }

    #[test]
    fn results_without_tokens_are_matched_by_their_place() {
        let found = messages(&["a", "b"], vec![result("", "first"), result("", "second")]);
        assert_eq!(found, [Some("first".into()), Some("second".into())]);
    }

    #[test]
    fn what_the_answer_does_not_mention_is_not_guessed() {
        assert_eq!(messages(&["a", "b"], vec![result("", "one of two")]), [None, None]);
        assert_eq!(
            messages(&["a", "b"], vec![result("b", "of b"), result("x", "stranger")]),
            [None, Some("of b".into())]
        );
        assert_eq!(messages(&["a", "a"], vec![result("a", "once")]), [Some("once".into()), None]);
    }
}
