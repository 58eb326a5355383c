//! What a run would do, and what it would cost, before it does anything.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use charon_provider::{
    Album, AlbumChoice, Cost, Entry, EntryKind, Error as StorageError, RemoteId, Selection, Storage,
};
use charon_schema::Mistake;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::{
    backup,
    budget::{Purpose, reserve},
    engine::Engine,
    error::Error,
    ids::{PlanId, RunId},
    job::Job,
    mirror::{Mirror, Site},
    numbers::with_commas,
    plan::{AlbumFiles, BackupConfig, PlanConfig},
    plans::{as_map, config_of},
    run::{Progress, RunContext},
    running::Work,
    sidecars::Sidecars,
    store::PlanRow,
    upload,
};

/// What a run of a plan would do. An estimate: what nobody knows beforehand (retries) is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Estimate {
    /// How many items there are: listed by the storage, or found in the folders.
    pub items: u64,
    /// How many of them are left out, as far as that is known beforehand.
    pub skipped: u64,
    /// How many of them fail, as far as that is known beforehand: files that cannot be read or sent.
    pub unfit: u64,
    /// How many of them the storage has refused before; they are tried again later.
    pub held_back: u64,
    /// How many of them would be moved.
    pub new: u64,
    /// How many bytes they have; `None` if that is not known beforehand.
    pub bytes: Option<u64>,
    /// The requests that it takes, by meter.
    pub requests: BTreeMap<String, u64>,
    /// What runs have left of today's requests, by meter, after the estimate itself.
    pub requests_left_today: BTreeMap<String, u64>,
    /// On how many days, at the limits of the meters and with what is left today; 1 means today.
    pub days: u32,
    /// The meter that takes the most days.
    pub by: Option<String>,
}

impl Engine {
    /// Estimates what a run of a plan would do now. A backup is listed for it, which takes requests; the folders of an upload
    /// are scanned and hashed. Nothing is moved. It is given up by dropping it.
    ///
    /// # Errors
    /// When there is no such plan, or what it needs is not there.
    pub async fn estimate(&self, plan: &str) -> Result<Estimate, Error> {
        self.estimate_of(&self.plan_row(plan).await?).await
    }

    /// As [`estimate`](Engine::estimate), for the plan with this id; with another configuration than it has, if one is given, as if
    /// that were saved.
    ///
    /// # Errors
    /// Those, and every mistake in the configuration.
    pub async fn preview_change(
        &self,
        id: PlanId,
        config: Option<Map<String, Value>>,
    ) -> Result<Estimate, Error> {
        let mut row = self.plan_row_by_id(id).await?;
        if let Some(config) = config {
            let config = self.judge_change(&row, &config_of(&row)?, config).await?;
            row.config = as_map(&config)?;
        }
        self.estimate_of(&row).await
    }

    /// Estimates what the first run of a plan would do that is not saved. Nothing is saved, and nothing is made at its destination.
    ///
    /// # Errors
    /// Every mistake that saving it would tell; what else keeps the estimate from being made.
    pub async fn preview_plan(&self, config: Map<String, Value>) -> Result<Estimate, Error> {
        let name = "this plan";
        let (config, storage) = self.judge_new_plan(name, config).await?;
        let row = PlanRow {
            id: PlanId::new(&*self.clock, &*self.entropy),
            name: name.to_owned(),
            storage_id: storage.id,
            config: as_map(&config)?,
            mirror_ready: false,
            created_at: self.clock.now(),
            revision: 0,
            decided_until: None,
            paused_at: None,
            paused_until: None,
            is_inbox: false,
        };
        if let PlanConfig::Backup(backup) = &config {
            let wrong = |refusal: String| Error::Config {
                what: name.to_owned(),
                mistakes: Mistake::in_field("destination", refusal).into(),
            };
            let site = self.site(row.id, backup).await?;
            Mirror::refuse_unfit(&site, row.id).await.map_err(|refusal| wrong(refusal.to_string()))?;
        }
        self.estimate_of(&row).await
    }

    async fn estimate_of(&self, row: &PlanRow) -> Result<Estimate, Error> {
        let opened = self.open_storage_of(row, Purpose::Person).await?;
        let (progress, _) = watch::channel(Progress::default());
        let run = RunId::new(&*self.clock, &*self.entropy);
        let mut ctx = self.context(run, row, &opened, progress);
        ctx.is_dry = true;
        let ctx = Arc::new(ctx);
        let storage = opened.storage;
        match config_of(row)? {
            PlanConfig::Backup(config) => {
                // Without its disk, everything would seem to be missing (I11).
                let site = self.site(row.id, &config).await?.for_run(&ctx);
                if row.mirror_ready {
                    Mirror::look(&site, row.id).await?;
                }
                self.refuse_unable(row, &ctx, &*storage).await?;
                of_backup(&ctx, &*storage, &config, &site).await
            }
            PlanConfig::Upload(_) => {
                let Work::Upload(upload) = self.prepare(row, &ctx, Arc::clone(&storage), &Job::Plan).await?
                else {
                    return Err(Error::Refused("the plan was changed meanwhile; try again".into()));
                };
                let counted = upload::count(upload).await?;
                refuse_stopped(&ctx)?;
                of_upload(&ctx, &counted).await
            }
        }
    }
}

/// An error that would have ended the run ends the estimate.
pub(crate) fn refuse_stopped(ctx: &RunContext) -> Result<(), Error> {
    let Some(stop) = ctx.stopped() else { return Ok(()) };
    Err(match stop.class {
        Some(class) => StorageError::new(class, "estimate the run", stop.message.clone()).into(),
        None => Error::Refused(stop.message.clone()),
    })
}

/// Lists everything, to its end, and compares it with the ledger and the mirror.
async fn of_backup(
    ctx: &RunContext,
    storage: &dyn Storage,
    config: &BackupConfig,
    site: &Site,
) -> Result<Estimate, Error> {
    let source = storage.source().ok_or_else(|| Error::Refused("this storage cannot be read from".into()))?;
    let wanted = backup::select(ctx, storage, &config.selection).await?;
    let mut estimate = Estimate { bytes: Some(0), ..Estimate::default() };
    let (mut pages, mut parts) = (0, 0);
    // Of ids that may come again, their hashes are enough for an estimate.
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut seen: HashSet<u64> = HashSet::new();
    let mut walk = backup::Walk::default();
    loop {
        let page = walk.photos(ctx, source, &wanted).await;
        let page = match page.ok_or_else(|| Error::Refused("the estimate was stopped".into()))? {
            Err(error) if walk.begins_anew(&error) => continue,
            page => page?,
        };
        let Some(page) = page else { break };
        pages += 1;
        let ids: Vec<&RemoteId> = page.items.iter().map(|item| &item.id).collect();
        let copies = ctx.store.copies_of(ctx.plan, ctx.storage, &ids).await?;
        let (known, paths): (Vec<RemoteId>, Vec<String>) = copies.into_iter().unzip();
        let there = site.files().look(&paths).await?;
        let is_file =
            |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.kind == EntryKind::File);
        let home = known.into_iter().zip(&there).filter(|(_, entry)| is_file(entry)).map(|(id, _)| id);
        let home: HashSet<RemoteId> = home.collect();
        for item in page.items {
            if !seen.insert(hasher.hash_one(&item.id)) {
                continue;
            }
            estimate.items += 1;
            let is_home = home.contains(&item.id);
            if wanted.leaves_out(&item).is_some() {
                estimate.skipped += u64::from(!is_home);
            } else if !is_home {
                estimate.new += 1;
                parts += 1 + u64::from(item.has_clip);
                estimate.bytes = estimate.bytes.zip(item.size).map(|(sum, size)| sum + size);
            }
        }
    }
    let beside = pages_beside(ctx, storage, config, &wanted).await?;
    let costs = &ctx.facts.costs;
    estimate.with_requests(ctx, &[(pages + beside, &costs.page), (parts, &costs.fetch)]).await
}

/// The pages that it takes to learn what is in the albums, and what is a favourite, where the mirror tells of them.
async fn pages_beside(
    ctx: &RunContext,
    storage: &dyn Storage,
    config: &BackupConfig,
    wanted: &Selection,
) -> Result<u64, Error> {
    let has_sidecars = config.sidecars != Sidecars::None;
    // New items ask for them too, where paths are made of albums.
    let by_layout =
        wanted.albums == AlbumChoice::Library && config.layout().is_ok_and(|layout| layout.has_albums());
    let times = u64::from(has_sidecars || config.albums != Some(AlbumFiles::None)) + u64::from(by_layout);
    let Some(albums) = storage.albums().filter(|_| times > 0) else { return Ok(0) };
    let mut walk = backup::Walk::default();
    // At least one page of favourites; how many there are is not known.
    let favourites = u64::from(has_sidecars);
    let mut pages = 0;
    loop {
        let page = walk.albums(ctx, albums).await;
        let Some(page) = page.ok_or_else(|| Error::Refused("the estimate was stopped".into()))?? else {
            return Ok(pages * times + favourites);
        };
        let each = u64::try_from(ctx.facts.costs.page_items).unwrap_or(u64::MAX).max(1);
        let of_album = |album: &Album| album.items.map_or(1, |items| items.div_ceil(each));
        pages += 1 + page.albums.iter().map(of_album).sum::<u64>();
    }
}

pub(crate) async fn of_upload(ctx: &RunContext, counted: &upload::Counted) -> Result<Estimate, Error> {
    let (costs, others) = (&ctx.facts.costs, ctx.progress().items);
    let estimate = Estimate {
        items: counted.files + others.skipped + others.failed,
        skipped: others.skipped,
        unfit: others.failed,
        held_back: counted.held_back,
        new: counted.new,
        bytes: Some(counted.bytes),
        ..Estimate::default()
    };
    estimate
        .with_requests(
            ctx,
            &[
                (counted.sends, &costs.send),
                (counted.commits, &costs.commit),
                (counted.look_ups, &costs.page),
            ],
        )
        .await
}

impl Estimate {
    /// With the requests that so many steps of these costs take, and the days that the meters allow them on.
    async fn with_requests(mut self, ctx: &RunContext, steps: &[(u64, &Vec<Cost>)]) -> Result<Self, Error> {
        for (times, costs) in steps.iter().filter(|(times, _)| *times > 0) {
            for cost in *costs {
                *self.requests.entry(cost.0.to_owned()).or_default() += times;
            }
        }
        self.days = 1;
        let left_today = ctx.spending.left_today().await?;
        for meter in &ctx.facts.meters {
            let left = left_today.get(meter.id).copied().unwrap_or_default();
            self.requests_left_today.insert(meter.id.to_owned(), left);
            let Some(requests) = self.requests.get(meter.id) else { continue };
            let days = days(*requests, left, meter.limit);
            if self.by.is_none() || days > self.days {
                self.by = Some(meter.id.to_owned());
            }
            self.days = self.days.max(days);
        }
        Ok(self)
    }

    /// The estimate in one line: `31,204 items, 31,829 requests, about 4 days`.
    pub fn sentence(&self) -> String {
        let several = |count: u64, one: &str, more: &str| {
            format!("{} {}", with_commas(count), if count == 1 { one } else { more })
        };
        let items = several(self.items, "item", "items");
        let requests = several(self.requests.values().sum(), "request", "requests");
        let time = match self.days {
            0 | 1 => "today".to_owned(),
            days => format!("about {} days", with_commas(days.into())),
        };
        format!("{items}, {requests}, {time}")
    }
}

/// On how many days so many requests fit: today as far as something is left, and then as many each day as runs have.
fn days(requests: u64, left_today: u64, limit: u32) -> u32 {
    let later = requests.saturating_sub(left_today);
    let each_day = u64::from(limit - reserve(limit)).max(1);
    u32::try_from(later.div_ceil(each_day)).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::{Estimate, days};

    #[test]
    fn an_estimate_is_told_in_a_sentence() {
        let requests = [("api".to_owned(), 31_829)].into();
        let mut estimate = Estimate { items: 31_204, requests, days: 4, ..Estimate::default() };
        assert_eq!(estimate.sentence(), "31,204 items, 31,829 requests, about 4 days");
        (estimate.items, estimate.days) = (1, 1);
        estimate.requests.insert("api".into(), 1);
        assert_eq!(estimate.sentence(), "1 item, 1 request, today");
    }

    #[test]
    fn what_is_left_today_is_used_first_and_the_reserve_never() {
        // Of 10,000 a day, runs have 9,800.
        for (requests, left_today, expected) in [
            (0, 0, 1),
            (9_800, 9_800, 1),
            (9_801, 9_800, 2),
            (1, 0, 2),
            (31_829, 9_800, 4),
            (31_829, 2_429, 4),
            (31_829, 2_428, 5),
        ] {
            assert_eq!(days(requests, left_today, 10_000), expected, "{requests} with {left_today} left");
        }
    }
}
