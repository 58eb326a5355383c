//! Renaming and removing.

use super::tried::{Tried, noise};
use crate::{
    Class, Depth, Reason,
    conformance::case::{Ends, Stop},
};

async fn rename(tried: &Tried<'_>, from: &str, to: &str) -> Ends {
    let renamed = tried.destination.rename(&tried.at(from), &tried.at(to)).await;
    tried.fine(&format!("rename {from} to {to}"), renamed)
}

async fn is_gone(tried: &Tried<'_>, name: &str) -> Ends {
    let found = tried.look(name).await?;
    tried.expect(found.is_none(), || format!("{name} is gone, and a look tells {found:?}"));
    Ok(())
}

pub(super) async fn a_file_gets_another_path(tried: &Tried<'_>) -> Ends {
    let large = noise(9 * 1024 * 1024 + 7, 6);
    tried.put("a.jpg", b"a photo").await?;
    tried.put("a.mp4", &large).await?;
    rename(tried, "a.jpg", "b.jpg").await?;
    rename(tried, "b.jpg", "a/new/folder/c.jpg").await?;
    rename(tried, "a.mp4", "a/new/c.mp4").await?;
    tried.holds("a/new/folder/c.jpg", b"a photo").await?;
    tried.holds("a/new/c.mp4", &large).await?;
    for name in ["a.jpg", "b.jpg", "a.mp4"] {
        is_gone(tried, name).await?;
    }
    Ok(())
}

pub(super) async fn a_file_is_renamed_over_another(tried: &Tried<'_>) -> Ends {
    tried.put("new.jpg", b"new").await?;
    tried.put("old/old.jpg", b"the old one").await?;
    rename(tried, "new.jpg", "old/old.jpg").await?;
    tried.holds("old/old.jpg", b"new").await?;
    is_gone(tried, "new.jpg").await
}

pub(super) async fn a_file_that_is_renamed_to_its_own_path_stays(tried: &Tried<'_>) -> Ends {
    tried.put("a.jpg", b"a photo").await?;
    rename(tried, "a.jpg", "a.jpg").await?;
    tried.holds("a.jpg", b"a photo").await
}

pub(super) async fn what_is_not_there_cannot_be_renamed(tried: &Tried<'_>) -> Ends {
    tried.put("there.jpg", b"there").await?;
    for to in ["there.jpg", "new.jpg", "missing.jpg"] {
        let renamed = tried.destination.rename(&tried.at("missing.jpg"), &tried.at(to)).await;
        let error = tried.fails("rename what is not there", renamed)?;
        tried.expect(error.reason == Reason::NotFound, || {
            format!("the reason is {:?}: {error}", error.reason)
        });
    }
    tried.holds("there.jpg", b"there").await
}

pub(super) async fn a_removed_file_is_gone(tried: &Tried<'_>) -> Ends {
    tried.put("f/a.jpg", b"a").await?;
    tried.put("f/b.jpg", b"b").await?;
    tried.fine("remove", tried.destination.remove(&tried.at("f/a.jpg")).await)?;
    is_gone(tried, "f/a.jpg").await?;
    let listed = tried.list("", Depth::Tree).await?;
    tried.expect(listed == ["f/b.jpg"], || format!("one of two files was removed, and there are {listed:?}"));
    let read = tried.destination.read(&tried.at("f/a.jpg"), 0, None).await.map(drop);
    tried.fails("read what was removed", read).map(drop)
}

pub(super) async fn what_is_not_there_is_removed_already(tried: &Tried<'_>) -> Ends {
    for name in ["a.jpg", "no/such/folder/a.jpg"] {
        tried.fine("remove what is not there", tried.destination.remove(&tried.at(name)).await)?;
    }
    Ok(())
}

pub(super) async fn a_folder_with_something_in_it_is_not_removed(tried: &Tried<'_>) -> Ends {
    tried.put("f/g/a.jpg", b"a").await?;
    for folder in ["f", "f/g"] {
        let removed = tried.destination.remove(&tried.at(folder)).await;
        let error = tried.fails("remove a folder with something in it", removed)?;
        tried.expect(error.class == Class::Item, || format!("the class is {:?}: {error}", error.class));
    }
    tried.holds("f/g/a.jpg", b"a").await
}

pub(super) async fn an_empty_folder_is_removed(tried: &Tried<'_>) -> Ends {
    tried.put("f/g/a.jpg", b"a").await?;
    for name in ["f/g/a.jpg", "f/g", "f"] {
        tried.fine(&format!("remove {name}"), tried.destination.remove(&tried.at(name)).await)?;
        is_gone(tried, name).await?;
    }
    // And can be made again.
    tried.put("f/g/a.jpg", b"again").await?;
    tried.holds("f/g/a.jpg", b"again").await
}

pub(super) async fn what_is_settled_stays(tried: &Tried<'_>) -> Result<(), Stop> {
    tried.put("f/a.jpg", b"a").await?;
    tried.put("b.jpg", b"b").await?;
    tried.fine("remove", tried.destination.remove(&tried.at("b.jpg")).await)?;
    let paths = [tried.at("f/a.jpg"), tried.at("b.jpg")];
    tried.fine("settle", tried.destination.settle(&paths).await)?;
    tried.holds("f/a.jpg", b"a").await
}
