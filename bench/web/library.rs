//! The pages of a library of half a million items.

use sqlx::{Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{at, client::Client, ledger, told};

/// So many pages of each kind are asked for.
const ASKED: usize = 200;

pub(crate) fn measure(part: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let items = runtime.block_on(async {
        let items = ledger::make(folder.path(), part).await;
        // Nothing is due: it is the pages that are measured.
        let options = SqliteConnectOptions::new().filename(folder.path().join("data/charon.db"));
        let mut database = SqliteConnection::connect_with(&options).await.expect("the database");
        database.execute("UPDATE plans SET paused_at = created_at").await.expect("paused");
        database.close().await.expect("closed");
        items
    });
    println!("\nthe pages of a library of {items} items");
    let client = Client::start(&folder.path().join("data"));
    let plan = "018c0000-0000-7000-8000-000000000000";
    let (first, body) = client.get(&format!("/library?plan={plan}"));
    println!("the first page of a server that has just begun: {first:.1} ms");
    let kilobytes = body.len() / 1_000;
    told(
        "the first screen without its pictures",
        &format!("{kilobytes} KB"),
        kilobytes < 150,
        "under 150 KB",
    );
    let pages = pages(&client, plan, &body);
    println!("| a page | median | 99th percentile |\n|---|---:|---:|");
    let mut worst = 0.0_f64;
    for (what, paths) in pages {
        let mut took: Vec<f64> =
            (0..ASKED).map(|number| client.get(&paths[number * 7_919 % paths.len()]).0).collect();
        let (median, last) = (at(&mut took, 50), at(&mut took, 99));
        worst = worst.max(last);
        println!("| {what} | {median:.1} ms | {last:.1} ms |");
    }
    told("any page", &format!("{worst:.1} ms at the 99th percentile"), worst < 50.0, "under 50 ms");
}

/// Pages of each kind: names, and addresses.
fn pages(client: &Client, plan: &str, first: &str) -> Vec<(&'static str, Vec<String>)> {
    let library = format!("/library?plan={plan}");
    let one = |path: String| vec![path];
    let months: Vec<&str> = first
        .split("<option value=\"")
        .filter_map(|rest| rest.split('"').next())
        .filter(|value| value.len() == 7 && value.starts_with("20"))
        .collect();
    let months = months.iter().map(|month| format!("{library}&month={month}")).collect();
    let items = (1..500).map(|number| format!("/library/{plan}/{}", number * 97)).collect();
    let names = (0..90).map(|number| format!("{library}&name=img_{number:02}")).collect();
    let narrow = (0..90).map(|number| format!("{library}&name=img_{number:02}77")).collect();
    // Twenty pages deep.
    let mut deep = vec![library.clone()];
    for _ in 0..20 {
        let (_, body) = client.get(&deep[deep.len() - 1]);
        let link = body.split("data-next").nth(1).and_then(|rest| rest.split("href=\"").nth(1));
        let Some(next) = link.and_then(|rest| rest.split('"').next()) else { break };
        deep.push(next.replace("&amp;", "&"));
    }
    vec![
        ("the first screen", one(library.clone())),
        ("one of the next twenty", deep),
        ("a month", months),
        ("videos alone, of which there are none", one(format!("{library}&kind=video"))),
        ("names that many begin with", names),
        ("names that few begin with", narrow),
        ("a name that nobody has", one(format!("{library}&name=zebra"))),
        (
            "a name within dates that it is not in",
            one(format!("{library}&name=img&from=1999-01-01&to=1999-12-31")),
        ),
        ("an item", items),
        ("the albums", one(format!("/library/albums?plan={plan}"))),
        ("the months, as JSON", one(format!("/api/v1/plans/{plan}/months"))),
        ("500 items, as JSON", one(format!("/api/v1/plans/{plan}/items?limit=500"))),
    ]
}
