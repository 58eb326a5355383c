//! `/storages/new` and `/storages/{id}/edit`: the form of a storage. What is typed into it is kept as a draft on the server, so that it
//! can be tested and connected before it is saved, and no secret goes back into the page.

use axum::{
    Form, Router,
    extract::{Query, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use charon_engine::{AccountTold, Engine, Error, PastCheck, StorageChange, StorageId, Unsaved, config_check};
use charon_provider::{Check, Description};
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use futures::{StreamExt, stream, stream::BoxStream};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    consenting,
    failing::Failing,
    form::{self, SchemaForm},
    layout::{Page, PageOf, Section},
    stages,
};
use crate::{
    access::Audited,
    api::{extract::Id, testing::as_they_come},
    app::App,
    drafts::{Draft, News, Tested, owner},
};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/storages/new", get(begin))
        .route("/storages/{id}/edit", get(edit))
        .route("/storages/drafts/{id}", get(show).post(act))
        .route("/storages/drafts/{id}/test", post(test))
}

/// Where the page of a draft is.
pub(super) fn path(id: Uuid) -> String {
    format!("/storages/drafts/{id}")
}

/// The draft is not there: it was saved, given up, or left alone for too long.
pub(super) fn gone() -> Failing {
    Failing::Elsewhere("/storages?told=draft-over".to_owned())
}

/// Which kind of storage it is to be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kind {
    provider: Option<String>,
}

async fn begin(page: PageOf, State(app): State<App>, Query(kind): Query<Kind>) -> Result<Response, Failing> {
    let engine = app.engine();
    let all: Vec<&Description> = engine.registry().providers().map(|provider| provider.describe()).collect();
    let chosen = match (kind.provider, all.as_slice()) {
        (Some(provider), _) => engine.registry().provider(&provider)?.describe().id,
        (None, [only]) => only.id,
        (None, several) => return Ok(choose(&page, several).into_response()),
    };
    let draft = Draft { provider: chosen.to_owned(), ..Draft::default() };
    let id = engine.new_id();
    app.drafts().begin(&owner(page.who()), id, draft, engine.now());
    Ok(Redirect::to(&path(id)).into_response())
}

fn choose(page: &PageOf, providers: &[&Description]) -> Page {
    let content = html! {
        h1 { "Add a storage" }
        ul.cards {
            @for provider in providers {
                li.card {
                    h2 { a href={ "/storages/new?provider=" (provider.id) } { (provider.name) } }
                    p { (provider.summary) }
                }
            }
        }
    };
    page.titled("Add a storage", Section::Storages, &content)
}

async fn edit(page: PageOf, State(app): State<App>, Id(id): Id<StorageId>) -> Result<Redirect, Failing> {
    let engine = app.engine();
    let storage = engine.storage_by_id(id).await?;
    let schema = &engine.registry().provider(&storage.provider)?.describe().schema;
    let draft = engine.new_id();
    app.drafts().begin(&owner(page.who()), draft, Draft::of(&storage, schema), engine.now());
    Ok(Redirect::to(&path(draft)))
}

async fn show(page: PageOf, State(app): State<App>, Id(id): Id<Uuid>) -> Result<Page, Failing> {
    let engine = app.engine();
    let taken = app.drafts().with(&owner(page.who()), id, engine.now(), |draft| {
        let shown = draft.clone();
        draft.news = None;
        shown
    });
    let draft = taken.ok_or_else(gone)?;
    let provider = engine.registry().provider(&draft.provider)?.describe();
    let title = if draft.of.is_some() { "Change a storage" } else { "Add a storage" };
    let is_refused = !draft.mistakes.is_empty() || matches!(draft.news, Some(News::NotSaved(_)));
    let title = form::title(title, is_refused);
    Ok(page.titled(&title, Section::Storages, &drawn(&page, id, &draft, provider)))
}

fn drawn(page: &PageOf, id: Uuid, draft: &Draft, provider: &Description) -> Markup {
    let pointer = provider.consenting.map(|consenting| format!("/{}", consenting.field));
    let stored: Vec<&str> =
        provider.schema.fields().into_iter().filter(|field| draft.has_secret(field)).collect();
    let shown = draft.shown();
    let mut fields =
        SchemaForm::new(&provider.schema, &shown, &draft.mistakes).stored(stored).beside(form::NAME);
    if let (Some(pointer), Some(consenting)) = (&pointer, provider.consenting) {
        fields = fields.behind(pointer, connect(draft, consenting.field, consenting.button));
    }
    let back = draft.of.as_ref().map_or("/storages".to_owned(), |of| format!("/storages/{}", of.id));
    html! {
        p { a href=(back) { "Back" } }
        h1 { @if draft.of.is_some() { "Change " (draft.name) } @else { "Add a storage: " (provider.name) } }
        p.soft { (provider.summary) }
        (news(draft, provider, &back))
        form method="post" action=(path(id)) autocomplete="off" {
            // Who presses Enter in a field means to save.
            button.visually-hidden type="submit" name="do" value="save" tabindex="-1" aria-hidden="true" { "Save" }
            (page.csrf())
            fieldset {
                legend { "Name" }
                (form::name_field(&draft.name, &draft.mistakes, "What you call this account, for instance family. Plans name it so."))
            }
            (fields.draw())
            div.actions {
                button type="submit" name="do" value="save" { "Save" }
                button.second type="submit" formaction={ (path(id)) "/test" } formnovalidate data-test="stages"
                    data-begin[matches!(draft.news, Some(News::Connected | News::Entered))] { "Test connection" }
                button.quiet type="submit" name="do" value="discard" formnovalidate { "Discard" }
            }
            (stages::panel(draft.tested.as_ref().map(|tested| tested.checks.as_slice())))
        }
    }
}

fn news(draft: &Draft, provider: &Description, back: &str) -> Markup {
    html! {
        @match &draft.news {
            Some(News::Connected) => {
                div.notice.good role="status" {
                    p {
                        "Connected" @if let Some(account) = &draft.account.name { " as " strong { (account) } }
                        ". Test the connection, then save."
                    }
                }
            },
            Some(News::Entered) => {
                @let title = provider.consenting.map_or("", |consenting| title_of(&provider.schema, consenting.field));
                div.notice.good role="status" { p { (title) ": it is entered. Test the connection, then save." } }
            },
            Some(News::NotSaved(why)) => {
                div.notice.bad role="alert" {
                    p { "It is not saved: " (why) }
                    @if draft.of.is_some() { p { a href=(back) { "See the storage as it is now" } } }
                }
            },
            None => {},
        }
    }
}

/// What a form calls a field.
fn title_of<'a>(schema: &'a ConfigSchema, field: &'a str) -> &'a str {
    schema.as_json()["properties"][field]["title"].as_str().unwrap_or(field)
}

/// The way to a consent, behind the field that it fills in.
fn connect(draft: &Draft, field: &str, button: &str) -> Markup {
    html! {
        div.connect {
            @match (&draft.account.name, draft.secrets.get(field), draft.has_secret(field)) {
                (Some(account), Some(_), _) => { p { span.state.good { "connected" } " as " (account) } },
                (None, Some(_), _) => { p { span.state.good { "entered" } } },
                (_, None, true) => { p { span.state { "as it is stored" } } },
                (_, None, false) => {
                    p.soft { "Not connected yet. Connect, once the fields above are filled in; or paste a token into the field." }
                },
            }
            button.second type="submit" name="do" value="connect" formnovalidate { (button) }
        }
    }
}

/// Takes what the form has sent into the draft. Gives it as it is then, and its provider's description.
fn take<'a>(
    app: &'a App,
    owner: &str,
    id: Uuid,
    sent: &[(String, String)],
) -> Result<(Draft, &'a Description), Failing> {
    let engine = app.engine();
    let provider =
        app.drafts().with(owner, id, engine.now(), |draft| draft.provider.clone()).ok_or_else(gone)?;
    let provider = engine.registry().provider(&provider)?.describe();
    let entered = form::read(&provider.schema, sent);
    let name = sent.iter().find(|(name, _)| name == "name").map(|(_, value)| value.trim().to_owned());
    let taken = app.drafts().with(owner, id, engine.now(), |draft| {
        draft.take(name.unwrap_or_default(), entered.config, &provider.schema);
        draft.mistakes.extend(entered.mistakes);
        draft.clone()
    });
    Ok((taken.ok_or_else(gone)?, provider))
}

async fn act(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<Uuid>,
    headers: HeaderMap,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Failing> {
    let owner = owner(page.who());
    let wish = sent.iter().find(|(name, _)| name == "do").map_or("save", |(_, value)| value.as_str());
    if wish == "discard" {
        let of = app.drafts().with(&owner, id, app.engine().now(), |draft| draft.of.as_ref().map(|of| of.id));
        app.drafts().end(&owner, id, app.engine().now());
        let back = of.flatten().map_or("/storages".to_owned(), |id| format!("/storages/{id}"));
        return Ok(Redirect::to(&back).into_response());
    }
    let (draft, _) = take(&app, &owner, id, &sent)?;
    if !draft.mistakes.is_empty() {
        return Ok(Redirect::to(&path(id)).into_response());
    }
    if wish == "connect" {
        return Ok(consenting::begin_for_draft(&app, &owner, id, &draft, &headers).await?.into_response());
    }
    save(&app, &owner, id, &draft).await
}

async fn save(app: &App, owner: &str, id: Uuid, draft: &Draft) -> Result<Response, Failing> {
    let engine = app.engine();
    let saved = match &draft.of {
        None => engine.add_storage(&draft.name, &draft.provider, draft.config()).await,
        Some(of) => {
            let change =
                StorageChange { name: draft.name.clone(), config: draft.config(), seen: Some(of.revision) };
            engine.change_storage(of.id, change).await
        }
    };
    let storage = match saved {
        Ok(storage) => storage,
        Err(error) => {
            told(app, owner, id, error)?;
            return Ok(Redirect::to(&path(id)).into_response());
        }
    };
    if draft.account != AccountTold::default() {
        engine.account_was_told(storage.id, &draft.account).await?;
    }
    if let Some(tested) = &draft.tested {
        engine.keep_test(&storage, tested.at, &tested.checks).await?;
    }
    app.drafts().end(owner, id, engine.now());
    let (told, action) =
        if draft.of.is_some() { ("changed", "change_storage") } else { ("added", "add_storage") };
    let at = format!("/storages/{}", storage.id);
    let answer = Redirect::to(&format!("{at}?told={told}"));
    Ok(Audited::new(action, Some(at)).with("name", storage.name).on(answer))
}

/// The draft says what is wrong with it.
///
/// # Errors
/// What is not about the draft.
pub(super) fn told(app: &App, owner: &str, id: Uuid, error: Error) -> Result<(), Failing> {
    let note =
        |act: &dyn Fn(&mut Draft)| app.drafts().with(owner, id, app.engine().now(), act).ok_or_else(gone);
    match error {
        Error::Config { mistakes, .. } => note(&|draft| draft.mistakes.clone_from(&mistakes.0)),
        Error::BadName(reason) => {
            note(&|draft| draft.mistakes.push(Mistake::in_field("name", reason.clone())))
        }
        Error::Refused(_) | Error::Changed { .. } => {
            note(&|draft| draft.news = Some(News::NotSaved(error.to_string())))
        }
        other => Err(other.into()),
    }
}

/// Opens what the draft would be.
pub(super) async fn open(engine: &Engine, draft: &Draft) -> Result<Unsaved, Error> {
    match &draft.of {
        None => engine.open_unsaved(&draft.provider, draft.config()),
        Some(of) => engine.open_changed(of.id, draft.config()).await,
    }
}

async fn test(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<Uuid>,
    headers: HeaderMap,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Failing> {
    let owner = owner(page.who());
    let (draft, provider) = take(&app, &owner, id, &sent)?;
    let is_live = stages::are_drawn_there(&headers);
    let opened = if draft.mistakes.is_empty() {
        open(app.engine(), &draft).await
    } else {
        let mistakes = Mistakes(draft.mistakes.clone());
        Err(Error::Config { what: "the storage".into(), mistakes })
    };
    let unsaved = match opened {
        Ok(unsaved) => unsaved,
        Err(error) if is_live => {
            let check = with_titles(config_check(Err(&error)), &provider.schema);
            return Ok(as_they_come(stream::iter([check]).boxed(), app.shutdown()));
        }
        Err(error) => {
            told(&app, &owner, id, error)?;
            return Ok(Redirect::to(&path(id)).into_response());
        }
    };
    let stages = remembered(Remembering { app: app.clone(), owner, id, unsaved, before: draft.config() });
    if is_live {
        return Ok(as_they_come(stages, app.shutdown()));
    }
    stages::all(stages).await;
    Ok(Redirect::to(&format!("{}#stages", path(id))).into_response())
}

/// What is wrong, with the fields called as the form calls them.
fn with_titles(mut check: Check, schema: &ConfigSchema) -> Check {
    for field in schema.fields() {
        let title = title_of(schema, field);
        let (begins, follows) = (format!("{field}: "), format!("; {field}: "));
        if let Some(rest) = check.found.strip_prefix(&begins) {
            check.found = format!("{title}: {rest}");
        }
        check.found = check.found.replace(&follows, &format!("; {title}: "));
    }
    check
}

/// A test of a draft. Whatever becomes of it, a token that it has renewed is not lost.
struct Remembering {
    app: App,
    owner: String,
    id: Uuid,
    unsaved: Unsaved,
    /// What is tested.
    before: Map<String, Value>,
}

impl Remembering {
    fn note(&self, act: impl FnOnce(&mut Draft)) {
        let now = self.app.engine().now();
        self.app.drafts().with(&self.owner, self.id, now, |draft| {
            // Who has typed on meanwhile has another draft.
            if draft.config() == self.before {
                act(draft);
            }
        });
    }
}

impl Drop for Remembering {
    fn drop(&mut self) {
        let renewed = self.unsaved.config();
        self.note(|draft| draft.renew(&renewed));
    }
}

/// The stages; when all have ended, the draft knows how it went.
fn remembered(remembering: Remembering) -> BoxStream<'static, Check> {
    let stages = remembering.unsaved.test();
    stream::unfold((stages, Vec::new(), remembering), |(mut stages, mut checks, remembering)| async move {
        if let Some(check) = stages.next().await {
            checks.push(PastCheck::from(&check));
            return Some((check, (stages, checks, remembering)));
        }
        let tested = Tested { at: remembering.app.engine().now(), checks };
        remembering.note(|draft| draft.tested = Some(tested));
        None
    })
    .boxed()
}
