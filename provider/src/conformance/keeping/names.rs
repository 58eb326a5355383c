//! Names, which photos have of every kind.

use super::tried::Tried;
use crate::{Depth, conformance::case::Ends};

/// What servers, shells, URLs and XML are known to stumble over.
const NAMES: &[&str] = &[
    "plain.jpg",
    "with blanks  in it.jpg",
    "100%.jpg",
    "%41.jpg",
    "%2F.jpg",
    "#1.jpg",
    "a+b.jpg",
    "what?.jpg",
    "a&b;c=d,e@f$g!.jpg",
    "it's \"quoted\".jpg",
    "<b>&amp;.jpg",
    "(1) [2] {3} ^~`|.jpg",
    "a:b*c.jpg",
    ".hidden.jpg",
    "-rf.jpg",
    "no extension",
    "...jpg",
    "Ünïcödé – 日本語 – עברית.jpg",
    "🎂🇩🇪.jpg",
    "e\u{301} in two.jpg",
    "æøå/ein Ordner & mehr/été #2.jpg",
];

pub(super) async fn names_are_kept_as_they_are(tried: &Tried<'_>) -> Ends {
    for name in NAMES {
        tried.put(name, name.as_bytes()).await?;
    }
    let paths: Vec<String> = NAMES.iter().map(|name| tried.at(name)).collect();
    let looked = tried.fine("look at all names", tried.destination.look(&paths).await)?;
    for (name, found) in NAMES.iter().zip(looked) {
        let is_told = found
            .as_ref()
            .is_some_and(|found| found.size == name.len() as u64 && found.path == tried.at(name));
        tried.expect(is_told, || format!("a look at many tells of {name:?}: {found:?}"));
        tried.holds(name, name.as_bytes()).await?;
    }
    let listed = tried.list("", Depth::Tree).await?;
    let mut names: Vec<&str> = NAMES.to_vec();
    names.sort_unstable();
    tried.expect(listed == names, || format!("{names:?} were put, and listed are {listed:?}"));
    for name in NAMES {
        let renamed = format!("renamed {}", name.replace('/', " "));
        let done = tried.destination.rename(&tried.at(name), &tried.at(&renamed)).await;
        tried.fine(&format!("rename {name:?}"), done)?;
        tried.holds(&renamed, name.as_bytes()).await?;
        tried.fine(&format!("remove {renamed:?}"), tried.destination.remove(&tried.at(&renamed)).await)?;
    }
    let left = tried.list("", Depth::Tree).await?;
    tried.expect(left.is_empty(), || format!("all files were removed, and there are {left:?}"));
    Ok(())
}

pub(super) async fn what_looks_alike_is_told_apart(tried: &Tried<'_>) -> Ends {
    let alike = ["a", "ab", "a b", "a%20b", "a+b", "a.jpg", "a.jpg.json", "a-", "b/a", "b/ab", "bb/a"];
    for name in alike {
        tried.put(name, name.as_bytes()).await?;
    }
    for name in alike {
        tried.holds(name, name.as_bytes()).await?;
    }
    let listed = tried.list("b", Depth::Tree).await?;
    tried.expect(listed == ["b/a", "b/ab"], || format!("the folder b holds {listed:?}"));
    tried.fine("remove", tried.destination.remove(&tried.at("a")).await)?;
    for name in &alike[1..] {
        tried.holds(name, name.as_bytes()).await?;
    }
    Ok(())
}
