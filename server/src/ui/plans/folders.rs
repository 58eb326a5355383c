//! Choosing a folder below the roots: each press of a button goes one folder further, with the form around it kept as it is.

use std::path::PathBuf;

use charon_engine::FolderList;
use maud::{Markup, html};

use crate::app::App;

/// The folder that is being looked into, for a field.
#[derive(Debug)]
pub(super) struct Browsing {
    pub(super) pointer: String,
    pub(super) found: Result<FolderList, String>,
}

impl Browsing {
    /// What a button of [`picker`] asks for: `/destination=/photos`.
    pub(super) async fn read(app: &App, asked: &str) -> Option<Self> {
        let (pointer, path) = asked.split_once('=')?;
        let folder = (!path.is_empty()).then(|| PathBuf::from(path));
        let found = app.roots().folders_in(folder).await.map_err(|why| format!("the folder {path} {why}"));
        Some(Self { pointer: pointer.to_owned(), found })
    }

    /// The folder, if it can be taken.
    pub(super) fn folder(&self) -> Option<String> {
        self.found.as_ref().ok()?.folder.as_ref().map(|folder| folder.display().to_string())
    }
}

/// The buttons behind the field of one folder or several.
/// `action` is where the form around it is sent.
pub(super) fn picker(pointer: &str, browsing: Option<&Browsing>, are_several: bool, action: &str) -> Markup {
    let Some(browsing) = browsing.filter(|browsing| browsing.pointer == pointer) else {
        return html! {
            p {
                button.second type="submit" name="browse" value={ (pointer) "=" } formnovalidate formaction={ (action) "#folders" } {
                    "Choose a folder…"
                }
            }
        };
    };
    html! {
        div.folders #folders role="group" aria-label="Folders" {
            @match &browsing.found {
                Err(why) => { p.mistake { (why) } },
                Ok(list) => { (listed(pointer, list, are_several, action)) },
            }
        }
    }
}

fn listed(pointer: &str, list: &FolderList, are_several: bool, action: &str) -> Markup {
    let go = |path: &str, words: &str| {
        html! {
            button.second type="submit" name="browse" value={ (pointer) "=" (path) } formnovalidate
                formaction={ (action) "#folders" } { (words) }
        }
    };
    html! {
        @match &list.folder {
            Some(folder) => {
                p { "In " code { (folder.display()) } }
                @if are_several {
                    p { button type="submit" name="add" value=(folder.display()) formnovalidate { "Add this folder" } }
                } @else {
                    p.soft { "This folder is chosen. Write the name of a new one behind it, if it is to be in there." }
                }
            },
            None => { p.soft { "These folders may be chosen from." } },
        }
        ul.choices {
            @if list.folder.is_some() {
                li { (go(&list.parent.as_ref().map(|parent| parent.display().to_string()).unwrap_or_default(), "Up")) }
            }
            @for folder in &list.folders { li { (go(&folder.path.display().to_string(), &folder.name)) } }
        }
        @if list.folders.is_empty() {
            @if list.folder.is_none() {
                p.soft { "No folder is open to the web UI: start charon with --root and the folder that holds photos." }
            } @else {
                p.soft { "There are no folders in it." }
            }
        }
        @if list.is_cut_off { p.soft { "There are more; write the path of one that is not listed." } }
    }
}
