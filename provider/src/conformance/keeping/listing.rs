//! Looking and listing.

use futures::{StreamExt, stream};

use super::tried::Tried;
use crate::{Depth, EntryKind, conformance::case::Ends};

/// More than a store tells in one page.
const MANY: usize = 1_050;

pub(super) async fn many_are_looked_at_in_their_order(tried: &Tried<'_>) -> Ends {
    for name in ["b.jpg", "a.jpg", "2024/c.jpg", "2024/d.jpg", "2024/e.jpg", "2024/f.jpg"] {
        tried.put(name, name.as_bytes()).await?;
    }
    let nothing = tried.fine("look at nothing", tried.destination.look(&[]).await)?;
    tried.expect(nothing.is_empty(), || format!("a look at nothing tells {nothing:?}"));
    let asked = [
        "2024/f.jpg",
        "missing.jpg",
        "a.jpg",
        "2024/c.jpg",
        "2024/missing.jpg",
        "no/such/folder/a.jpg",
        "2024/d.jpg",
        "a.jpg",
        "2024/e.jpg",
        "2024",
        "b.jpg",
    ];
    let paths: Vec<String> = asked.iter().map(|name| tried.at(name)).collect();
    let found = tried.fine("look at many", tried.destination.look(&paths).await)?;
    tried
        .expect(found.len() == asked.len(), || format!("{} paths have {} answers", asked.len(), found.len()));
    for (name, found) in asked.iter().zip(found) {
        let (kind, size) = match *name {
            "2024" => (EntryKind::Folder, 0),
            name => (EntryKind::File, name.len() as u64),
        };
        let told = found.as_ref().map(|found| (found.path.clone(), found.kind, found.size));
        let wanted = if name.contains("such") || name.contains("missing") {
            None
        } else {
            Some((tried.at(name), kind, size))
        };
        tried.expect(told == wanted, || format!("a look at many tells of {name}: {found:?}"));
    }
    let root = tried.fine("look at the destination", tried.destination.look(&[String::new()]).await)?;
    let is_folder = matches!(&*root, [Some(entry)] if entry.kind == EntryKind::Folder);
    tried.expect(is_folder, || format!("a look at the destination itself tells {root:?}"));
    Ok(())
}

pub(super) async fn a_look_sees_what_was_just_written(tried: &Tried<'_>) -> Ends {
    let names = ["f/1.jpg", "f/2.jpg", "f/3.jpg", "f/4.jpg"];
    let paths: Vec<String> = names.iter().map(|name| tried.at(name)).collect();
    for done in 0..=names.len() {
        let found = tried.fine("look at many", tried.destination.look(&paths).await)?;
        let there = found.iter().filter(|found| found.is_some()).count();
        tried.expect(there == done, || format!("{done} files were put, and a look tells {there}"));
        if let Some(name) = names.get(done) {
            tried.put(name, b"new").await?;
        }
    }
    tried.fine("rename", tried.destination.rename(&paths[0], &tried.at("g/1.jpg")).await)?;
    tried.fine("remove", tried.destination.remove(&paths[1]).await)?;
    tried.put(names[2], b"longer than before").await?;
    let found = tried.fine("look at many", tried.destination.look(&paths).await)?;
    let sizes: Vec<Option<u64>> = found.iter().map(|found| found.as_ref().map(|found| found.size)).collect();
    tried.expect(sizes == [None, None, Some(18), Some(3)], || {
        format!("after a file was renamed, one removed and one replaced, a look tells {sizes:?}")
    });
    Ok(())
}

async fn some_files(tried: &Tried<'_>) -> Ends {
    for name in ["a.jpg", "x/b.jpg", "x/y/c.jpg", "x/y/d.jpg", "xx/e.jpg"] {
        tried.put(name, name.as_bytes()).await?;
    }
    Ok(())
}

pub(super) async fn a_folder_is_listed_with_its_folders(tried: &Tried<'_>) -> Ends {
    some_files(tried).await?;
    for (folder, wanted) in
        [("", &["a.jpg", "x/", "xx/"][..]), ("x", &["x/b.jpg", "x/y/"]), ("x/y", &["x/y/c.jpg", "x/y/d.jpg"])]
    {
        let listed = tried.list(folder, Depth::Folder).await?;
        tried.expect(listed == wanted, || format!("in {folder:?} there are {listed:?}, not {wanted:?}"));
    }
    Ok(())
}

pub(super) async fn a_tree_is_listed_with_its_files_alone(tried: &Tried<'_>) -> Ends {
    some_files(tried).await?;
    for (folder, wanted) in [
        ("", &["a.jpg", "x/b.jpg", "x/y/c.jpg", "x/y/d.jpg", "xx/e.jpg"][..]),
        ("x", &["x/b.jpg", "x/y/c.jpg", "x/y/d.jpg"]),
    ] {
        let listed = tried.list(folder, Depth::Tree).await?;
        tried.expect(listed == wanted, || format!("below {folder:?} there are {listed:?}, not {wanted:?}"));
    }
    let mut everything = tried.destination.list("", Depth::Tree);
    let mut found = false;
    while let Some(entry) = everything.next().await {
        let entry = tried.fine("list everything", entry)?;
        found |= entry.path == tried.at("x/y/c.jpg") && entry.size == 9;
        tried.expect(entry.kind != EntryKind::Folder, || {
            format!("a listing of a tree tells the folder {}", entry.path)
        });
    }
    tried.expect(found, || "a listing of everything lacks a file".into());
    Ok(())
}

pub(super) async fn a_folder_that_is_not_there_holds_nothing(tried: &Tried<'_>) -> Ends {
    tried.put("there/a.jpg", b"a").await?;
    for folder in ["missing", "there/missing", "the"] {
        for depth in [Depth::Folder, Depth::Tree] {
            let listed = tried.list(folder, depth).await?;
            tried.expect(listed.is_empty(), || {
                format!("in {folder}, which is not there, there are {listed:?}")
            });
        }
    }
    Ok(())
}

pub(super) async fn a_folder_of_many_files_is_listed_whole(tried: &Tried<'_>) -> Ends {
    let name = |number: usize| format!("many/{number:05}.jpg");
    let put = |number: usize| async move { tried.put(&name(number), b"one of many").await };
    for ended in stream::iter((0..MANY).map(put)).buffer_unordered(16).collect::<Vec<_>>().await {
        ended?;
    }
    let wanted: Vec<String> = (0..MANY).map(name).collect();
    for depth in [Depth::Folder, Depth::Tree] {
        let listed = tried.list("many", depth).await?;
        tried.expect(listed == wanted, || format!("of {MANY} files, {} are listed", listed.len()));
    }
    let paths: Vec<String> = (0..MANY + 50).map(|number| tried.at(&name(number))).collect();
    let found = tried.fine("look at very many", tried.destination.look(&paths).await)?;
    let there: Vec<bool> = found.iter().map(Option::is_some).collect();
    let wanted: Vec<bool> = (0..MANY + 50).map(|number| number < MANY).collect();
    tried.expect(there == wanted, || "a look at very many tells others than there are".into());
    Ok(())
}
