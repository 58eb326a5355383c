//! `charon budget`: what is used and left today of the requests that each project has per day.

use charon_engine::{BudgetView, Engine, with_commas};

use crate::{
    exit::{Exit, Failure},
    output::{Output, table},
};

pub(crate) async fn run(engine: &Engine, output: Output) -> Result<Exit, Failure> {
    let budget = engine.budget().await?;
    output.print(&budget, || match budget.as_slice() {
        [] => {
            "There is no storage yet, and so nothing to count. Add one: charon storage add NAME --config FILE"
                .into()
        }
        budget => tell(budget),
    })?;
    Ok(Exit::Done)
}

fn tell(budget: &[BudgetView]) -> String {
    let rows = budget.iter().map(|view| {
        let left = if view.spent_by_server {
            "0 (says the server)".to_owned()
        } else {
            with_commas(view.left_for_runs)
        };
        [
            view.account.clone(),
            view.meter.clone(),
            with_commas(view.limit.into()),
            with_commas(view.used),
            left,
            with_commas(view.reserve.into()),
            view.resets_at.map(|at| at.to_string()).unwrap_or_default(),
            view.storages.join(", "),
        ]
    });
    table(
        [
            "PROJECT",
            "METER",
            "PER DAY",
            "USED TODAY",
            "LEFT FOR RUNS",
            "KEPT FOR YOU",
            "STARTS AGAIN",
            "STORAGES",
        ],
        rows,
    )
}
