//! The budget as it can be shown.

use std::collections::BTreeMap;

use charon_provider::Meter;
use jiff::{Timestamp, ToSpan, civil::Date};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Budgets, reserve};
use crate::{engine::Engine, error::Error, parking};

/// What is used and left today of what one meter counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BudgetView {
    /// Who shares the count: the number of a Google Cloud project.
    pub account: String,
    /// The meter.
    pub meter: String,
    /// The storages that it counts with this limit.
    pub storages: Vec<String>,
    /// The day, as the meter has it.
    pub day: Date,
    /// Requests per day.
    pub limit: u32,
    /// How many have been counted today. While a run is at work, some of them are only about to be made.
    pub used: u64,
    /// How many runs may still make today.
    pub left_for_runs: u64,
    /// How many of the limit runs leave for people.
    pub reserve: u32,
    /// When the count starts again.
    pub resets_at: Option<Timestamp>,
    /// Whether the server itself has said that nothing is left today.
    pub spent_by_server: bool,
}

/// What one meter has counted on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DayOfRequests {
    /// The day, as the meter has it.
    pub day: Date,
    /// Who shares the count.
    pub account: String,
    /// The meter.
    pub meter: String,
    /// How many requests there were.
    pub requests: u64,
    /// Whether the server itself has said that nothing is left.
    pub spent_by_server: bool,
}

impl Engine {
    /// What is used and left today, for all storages, by who shares the count, by meter and by limit. Sends no request.
    ///
    /// # Errors
    /// When the database cannot be read. A storage that cannot be opened is left out.
    pub async fn budget(&self) -> Result<Vec<BudgetView>, Error> {
        let mut meters: BTreeMap<(String, &'static str, u32), (Meter, Vec<String>)> = BTreeMap::new();
        for row in self.store.storages().await? {
            match self.declared_by(&row) {
                Ok(facts) => {
                    for meter in &facts.meters {
                        let key = (meter.account.clone(), meter.id, meter.limit);
                        let entry = meters.entry(key).or_insert_with(|| (meter.clone(), Vec::new()));
                        entry.1.push(row.name.clone());
                    }
                }
                Err(error) => tracing::warn!(storage = row.name, %error, "its budget cannot be told"),
            }
        }
        let mut views = Vec::new();
        for (meter, storages) in meters.into_values() {
            views.push(BudgetView { storages, ..self.budgets.view(&meter).await? });
        }
        Ok(views)
    }

    /// How many requests there were on each of the last days, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn requests_by_day(&self, days: u32) -> Result<Vec<DayOfRequests>, Error> {
        // In the zones behind UTC it may still be yesterday.
        let today = jiff::tz::TimeZone::UTC.to_datetime(self.clock.now()).date();
        let oldest = today.checked_sub(i64::from(days).days()).unwrap_or(Date::MIN);
        let rows = self.store.days_since(oldest).await?.into_iter();
        let day = |row: crate::store::DayRow| DayOfRequests {
            day: row.day,
            account: row.account,
            meter: row.meter,
            requests: row.count.used,
            spent_by_server: row.count.is_spent,
        };
        Ok(rows.map(day).collect())
    }
}

impl Budgets {
    /// What a meter has counted today, and what is left. The storages are for others to say.
    pub(crate) async fn view(&self, meter: &Meter) -> Result<BudgetView, Error> {
        let now = self.clock.now();
        let day = parking::day_of(&meter.resets, now);
        let count = self.store.day_count(&meter.account, meter.id, day).await?;
        let unused: u64 = self
            .counters()
            .values()
            .filter(|counter| counter.counts_with(meter))
            .map(|counter| u64::from(counter.unused(day)))
            .sum();
        let used = count.used.saturating_sub(unused);
        let reserve = reserve(meter.limit);
        let for_runs = u64::from(meter.limit - reserve);
        Ok(BudgetView {
            account: meter.account.clone(),
            meter: meter.id.to_owned(),
            storages: Vec::new(),
            day,
            limit: meter.limit,
            used,
            left_for_runs: if count.is_spent { 0 } else { for_runs.saturating_sub(used) },
            reserve,
            resets_at: parking::reset_after(&meter.resets, now),
            spent_by_server: count.is_spent,
        })
    }
}
