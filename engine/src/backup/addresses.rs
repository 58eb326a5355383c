//! The addresses of one page's items. They expire (Google's after an hour), and one look-up renews those of up to fifty items
//! that are still waiting.

use std::{collections::HashMap, sync::Mutex};

use charon_provider::{Class, Error, Existence, Reason, RemoteId, RemoteItem, Source};
use jiff::Timestamp;

use crate::{retry::with_retries, run::RunContext};

/// The items of one page that have not been fetched yet.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    waiting: Mutex<HashMap<RemoteId, RemoteItem>>,
    /// Whoever holds it renews for all; the others wait for that, and then find their address renewed.
    renewing: tokio::sync::Mutex<()>,
}

impl Addresses {
    pub(super) fn of(items: impl Iterator<Item = RemoteItem>) -> Self {
        let waiting = items.map(|item| (item.id.clone(), item)).collect();
        Self { waiting: Mutex::new(waiting), renewing: tokio::sync::Mutex::default() }
    }

    /// The item as it was last seen.
    pub(super) fn get(&self, id: &RemoteId) -> Option<RemoteItem> {
        self.waiting().get(id).cloned()
    }

    /// The item waits no more.
    pub(super) fn done(&self, id: &RemoteId) {
        self.waiting().remove(id);
    }

    /// The item with an address other than the one that it had, which turned out stale. `None` when the run stops.
    pub(super) async fn renew(
        &self,
        ctx: &RunContext,
        source: &dyn Source,
        stale: &RemoteItem,
    ) -> Option<Result<RemoteItem, Error>> {
        let _turn = ctx.unless_stopped(self.renewing.lock()).await?;
        if let Some(item) = self.get(&stale.id).filter(|item| item.address != stale.address) {
            return Some(Ok(item));
        }
        let ids = self.stale_ids(stale, ctx.clock.now(), source.confirm_limit());
        let own = self.look_up(ctx, source, stale, &ids).await?;
        if own.as_ref().is_err_and(|error| error.reason != Reason::NotFound) && ids.len() > 1 {
            // One of the others may have spoiled it for all.
            return self.look_up(ctx, source, stale, &ids[..1]).await;
        }
        Some(own)
    }

    /// Asks for fresh addresses of these items; gives this one's.
    async fn look_up(
        &self,
        ctx: &RunContext,
        source: &dyn Source,
        stale: &RemoteItem,
        ids: &[RemoteId],
    ) -> Option<Result<RemoteItem, Error>> {
        let answers = match with_retries(ctx, || source.confirm(ids)).await? {
            Ok(answers) => answers,
            Err(error) => return Some(Err(error)),
        };
        let doing = || format!("look up {} again", stale.file_name);
        let mut own = Err(Error::new(Class::Transient, doing(), "the storage did not answer for it"));
        for (id, answer) in ids.iter().zip(answers) {
            let answer = match answer {
                Existence::Found(item) => {
                    let mut waiting = self.waiting();
                    // What was measured stays: the bytes are the same.
                    let size = item.size.or_else(|| waiting.get(id)?.size);
                    let item = RemoteItem { size, ..*item };
                    waiting.insert(id.clone(), item.clone());
                    Ok(item)
                }
                Existence::NotFound => {
                    let gone = "the storage says that it is no longer there";
                    Err(Error::new(Class::Item, doing(), gone).because(Reason::NotFound))
                }
                Existence::Unknown(why) => Err(Error::new(Class::Transient, doing(), why)),
            };
            if *id == stale.id {
                own = answer;
            }
        }
        Some(own)
    }

    /// This item and as many others as one look-up takes, of those whose addresses are no younger than its own: where one
    /// address died before its time, those that came with it are taken for dead as well.
    fn stale_ids(&self, first: &RemoteItem, now: Timestamp, most: usize) -> Vec<RemoteId> {
        let dead_until = first.address.as_ref().map_or(now, |address| address.valid_until.max(now));
        let is_dead = |item: &&RemoteItem| {
            item.address.as_ref().is_none_or(|address| address.valid_until <= dead_until)
        };
        let waiting = self.waiting();
        let others = waiting.values().filter(|item| item.id != first.id).filter(is_dead);
        let others = others.map(|item| item.id.clone()).take(most.saturating_sub(1));
        std::iter::once(first.id.clone()).chain(others).collect()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<RemoteId, RemoteItem>> {
        self.waiting.lock().expect("nothing panics while it holds the addresses")
    }
}
