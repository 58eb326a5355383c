//! Lists that are told a page at a time. Where a page ends is told as a cursor, which means nothing to the one who asks.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::problem::Problem;

/// How many a page has, unless the one who asks says otherwise.
const USUAL: u32 = 50;
/// The most that a page has.
const MOST: u32 = 500;

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page<T> {
    /// What it lists.
    pub(crate) items: Vec<T>,
    /// Where the next page begins: to be given as `cursor`. `null` at the end.
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` of these, of which there may be one more: that is how it is known that there is a next page.
    /// `key` gives what the cursor has to say of the last one that is shown.
    pub(crate) fn of<K: Serialize>(mut items: Vec<T>, limit: u32, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(|last| cursor(&key(last)));
        Self { items, next }
    }

    /// The whole list, where it is never long.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// How many items a page is to have: `limit`, within bounds.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(USUAL),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::bad_request(format!("limit is to be 1 to {MOST}"))),
    }
}

/// A cursor that says this.
pub(crate) fn cursor(place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// What a cursor says, if one is given.
///
/// # Errors
/// A problem of status 400 for one that none of our answers gave.
pub(crate) fn place<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let read = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let unknown = || Problem::bad_request("this cursor is none that a page has given; begin without one");
    read.map(Some).ok_or_else(unknown)
}

/// The query of a list that has no other choices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// How many items a page has at most.
    #[schemars(range(min = 1, max = 500))]
    pub(crate) limit: Option<u32>,
    /// Where the page begins: `next` of the page before it.
    pub(crate) cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::{Page, cursor, limit, place};

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let page = Page::of(vec![1, 2, 3], 2, |last| *last);
        assert_eq!(page.items, [1, 2]);
        assert_eq!(place::<i32>(page.next.as_deref()).expect("ours"), Some(2));
        assert_eq!(Page::of(vec![1, 2], 2, |last| *last).next, None);
        assert_eq!(Page::of(Vec::<i32>::new(), 2, |last| *last).next, None);
    }

    #[test]
    fn what_is_no_cursor_and_no_limit_is_refused() {
        for text in ["%", "bm90IGpzb24", &cursor(&"a text")] {
            assert!(place::<i32>(Some(text)).is_err(), "{text}");
        }
        for asked in [0, 501] {
            assert!(limit(Some(asked)).is_err(), "{asked}");
        }
    }
}
