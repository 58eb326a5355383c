//! Connecting a storage: the page that leads to the provider's consent page, where the browser comes back to, and the field for what
//! people bring themselves.

use axum::{
    Extension, Form, Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use charon_engine::{AccountTold, Error, NewAuditEntry, StorageId};
use charon_provider::{Authorization, Consent, Consenting, Description};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Map;
use url::Url;
use uuid::Uuid;

use super::{
    drafting,
    failing::Failing,
    layout::{PageOf, Section},
};
use crate::{
    access::Caller,
    api::{extract::Id, problem::Problem},
    app::App,
    consents::{AskedWith, Asking, NotTaken, Target, is_answer, is_refusal},
    drafts::{Draft, News, owner},
    redirect::{CALLBACK, of_browser, of_this_machine},
};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/storages/{id}/reconnect", post(reconnect))
        .route("/storages/{id}/connect", get(for_storage).post(brought_for_storage))
        .route("/storages/drafts/{id}/connect", get(for_draft).post(brought_for_draft))
        .route(CALLBACK, get(came_back))
}

/// Where the page of an asking is.
fn path(target: Target) -> String {
    match target {
        Target::Draft(id) => format!("{}/connect", drafting::path(id)),
        Target::Storage(id) => format!("/storages/{id}/connect"),
        Target::Later => "/storages".to_owned(),
    }
}

/// Where one goes on who has connected, or gives it up.
fn back(target: Target) -> String {
    match target {
        Target::Draft(id) => drafting::path(id),
        Target::Storage(id) => format!("/storages/{id}"),
        Target::Later => "/storages".to_owned(),
    }
}

/// Begins to ask for the consent for a draft, with what was typed into it.
pub(super) async fn begin_for_draft(
    app: &App,
    owner: &str,
    id: Uuid,
    draft: &Draft,
    headers: &HeaderMap,
) -> Result<Redirect, Failing> {
    match ask_for_draft(app, owner, id, draft, of_browser(app, headers).url).await {
        Ok(()) => Ok(Redirect::to(&path(Target::Draft(id)))),
        Err(error) => {
            drafting::told(app, owner, id, error)?;
            Ok(Redirect::to(&drafting::path(id)))
        }
    }
}

async fn ask_for_draft(
    app: &App,
    owner: &str,
    id: Uuid,
    draft: &Draft,
    redirect: Url,
) -> Result<(), charon_engine::Error> {
    let engine = app.engine();
    let asked_with = AskedWith { provider: draft.provider.clone(), config: draft.fields.clone() };
    let authorization = match &draft.of {
        None => engine.authorize(&draft.provider, draft.config(), &redirect)?,
        Some(of) => engine.authorize_changed(of.id, Some(draft.config()), &redirect).await?,
    };
    ask(app, owner, Target::Draft(id), (authorization, asked_with), redirect);
    Ok(())
}

/// Begins to ask for the consent of a stored storage.
async fn ask_for_storage(app: &App, owner: &str, id: StorageId, redirect: Url) -> Result<(), Failing> {
    let storage = app.engine().storage_by_id(id).await?;
    let asked_with = AskedWith { provider: storage.provider, config: storage.config };
    let authorization = app.engine().authorize_changed(id, None, &redirect).await?;
    ask(app, owner, Target::Storage(id), (authorization, asked_with), redirect);
    Ok(())
}

fn ask(
    app: &App,
    owner: &str,
    target: Target,
    authorization: (Box<dyn Authorization>, AskedWith),
    redirect: Url,
) {
    let engine = app.engine();
    let asking =
        Asking::new((engine.new_id(), owner.to_owned()), target, authorization, redirect, engine.now());
    app.consents().ask(asking, engine.now());
}

async fn reconnect(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<StorageId>,
    headers: HeaderMap,
) -> Result<Redirect, Failing> {
    ask_for_storage(&app, &owner(page.who()), id, of_browser(&app, &headers).url).await?;
    Ok(Redirect::to(&path(Target::Storage(id))))
}

async fn for_storage(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<StorageId>,
    headers: HeaderMap,
) -> Result<Response, Failing> {
    shown(&page, &app, Target::Storage(id), &headers, None).await
}

async fn for_draft(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Failing> {
    shown(&page, &app, Target::Draft(id), &headers, None).await
}

/// The page that leads to the consent; without an asking that is still open, the page before it.
async fn shown(
    page: &PageOf,
    app: &App,
    target: Target,
    headers: &HeaderMap,
    wrong: Option<&str>,
) -> Result<Response, Failing> {
    let engine = app.engine();
    let asking = app.consents().of(&owner(page.who()), target, engine.now());
    let asking = asking.ok_or_else(|| Failing::Elsewhere(back(target)))?;
    let (provider, consenting) = provider(app, &owner(page.who()), target).await?;
    let comes_back = of_browser(app, headers).url == asking.redirect && of_browser(app, headers).comes_back;
    let zone = app.time_zone().await;
    let content = drawn(page, &asking, (provider, consenting), comes_back, &zone, wrong);
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, page.titled(consenting.button, Section::Storages, &content)).into_response())
}

/// The provider that the consent is for, and its words.
async fn provider<'a>(
    app: &'a App,
    owner: &str,
    target: Target,
) -> Result<(&'a Description, Consenting), Failing> {
    let engine = app.engine();
    let id = match target {
        Target::Storage(id) => Some(engine.storage_by_id(id).await?.provider),
        Target::Draft(id) => app.drafts().with(owner, id, engine.now(), |draft| draft.provider.clone()),
        Target::Later => None,
    };
    let description = engine.registry().provider(&id.ok_or_else(drafting::gone)?)?.describe();
    let none = || Problem::conflict("a storage of this provider needs no consent");
    Ok((description, description.consenting.ok_or_else(none)?))
}

fn drawn(
    page: &PageOf,
    asking: &Asking,
    (provider, consenting): (&Description, Consenting),
    comes_back: bool,
    zone: &TimeZone,
    wrong: Option<&str>,
) -> Markup {
    let until = asking.expires_at.to_zoned(zone.clone()).strftime("%H:%M").to_string();
    let at = path(asking.target);
    html! {
        p { a href=(back(asking.target)) { "Back" } }
        h1 { (consenting.button) }
        div.card {
            p { (consenting.words) }
            @if comes_back {
                p { "Afterwards your browser comes back here by itself." }
                p { a.button href=(asking.url) rel="noreferrer" { (consenting.button) } }
            } @else {
                p {
                    "Your browser is on another machine than Charon, and " (provider.name)
                    " sends it back to an address that only opens on Charon's machine. So after you have given your consent, the \
                     browser ends on a page that does not open: that is as it should be."
                }
                ol {
                    li { "Open the page, and give your consent there." }
                    li {
                        "When the browser says that it cannot open the page, copy the whole address from its address bar. It begins \
                         with " code { (asking.redirect) "?" } "."
                    }
                    li { "Paste it below." }
                }
                p { a.button href=(asking.url) target="_blank" rel="noopener noreferrer" { (consenting.button) " (in a new tab)" } }
            }
            p.soft { "The answer is taken until " (until) ", once, and from this browser's session alone." }
        }
        details.card open[!comes_back || wrong.is_some()] {
            summary { "Paste the address, or a token" }
            form method="post" action=(at) {
                (page.csrf())
                div.field.wrong[wrong.is_some()] {
                    label for="answer" { "What the browser ended on" }
                    textarea id="answer" name="answer" rows="4" required spellcheck="false" autocomplete="off"
                        aria-invalid=[wrong.map(|_| "true")]
                        aria-describedby={ @if wrong.is_some() { "answer-mistake " } "answer-help" } {}
                    @if let Some(wrong) = wrong { p.mistake id="answer-mistake" role="alert" { (wrong) } }
                    p.help id="answer-help" {
                        "The whole address, with " code { "code=" } " in it. Instead of it you can paste " (consenting.instead) "."
                    }
                }
                button type="submit" { "Use it" }
            }
        }
        @if comes_back && asking.redirect.scheme() == "https" {
            form method="post" action=(at) {
                (page.csrf())
                input type="hidden" name="way" value="paste";
                p.soft {
                    "The client must know " code { (asking.redirect) } " as a redirect address. If it is one for desktop apps, it \
                     cannot: then "
                    button.quiet type="submit" { "use an address of Charon's machine, and paste" }
                }
            }
        }
    }
}

/// What a person brings.
#[derive(Debug, Deserialize)]
struct Brought {
    #[serde(default)]
    answer: String,
    /// `paste`: they want to paste, whatever the browser could open.
    way: Option<String>,
}

async fn brought_for_storage(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<StorageId>,
    headers: HeaderMap,
    Form(brought): Form<Brought>,
) -> Result<Response, Failing> {
    if brought.way.as_deref() == Some("paste") {
        ask_for_storage(&app, &owner(page.who()), id, of_this_machine(&app)).await?;
        return Ok(Redirect::to(&path(Target::Storage(id))).into_response());
    }
    take(&page, &app, Target::Storage(id), &headers, &brought.answer).await
}

async fn brought_for_draft(
    page: PageOf,
    State(app): State<App>,
    Id(id): Id<Uuid>,
    headers: HeaderMap,
    Form(brought): Form<Brought>,
) -> Result<Response, Failing> {
    let owner = owner(page.who());
    let draft = app.drafts().with(&owner, id, app.engine().now(), |draft| draft.clone());
    let draft = draft.ok_or_else(drafting::gone)?;
    if brought.way.as_deref() == Some("paste") {
        ask_for_draft(&app, &owner, id, &draft, of_this_machine(&app)).await?;
        return Ok(Redirect::to(&path(Target::Draft(id))).into_response());
    }
    take(&page, &app, Target::Draft(id), &headers, &brought.answer).await
}

/// Takes an address, or what may stand in place of it.
async fn take(
    page: &PageOf,
    app: &App,
    target: Target,
    headers: &HeaderMap,
    answer: &str,
) -> Result<Response, Failing> {
    let (owner, now, answer) = (owner(page.who()), app.engine().now(), answer.trim());
    let is_address = answer.is_empty() || answer.starts_with("http://") || answer.starts_with("https://");
    if !is_answer(answer) && !is_address {
        let (_, consenting) = provider(app, &owner, target).await?;
        let given =
            Consent { field: consenting.field, value: answer.into(), account: None, account_id: None };
        return match pasted(app, &owner, target, given).await {
            Ok(next) => Ok(next.into_response()),
            Err(Failing::Problem(problem)) => {
                shown(page, app, target, headers, Some(&in_words(&problem))).await
            }
            Err(other) => Err(other),
        };
    }
    let Some(asking) = app.consents().of(&owner, target, now) else {
        return Ok(over(page, target, &NotTaken::Unknown.to_string()));
    };
    match app.consents().take(&owner, asking.id, answer, now) {
        Ok(asking) => redeemed(page, app, &asking, answer).await,
        Err(why) => shown(page, app, target, headers, Some(&why.to_string())).await,
    }
}

fn in_words(problem: &Problem) -> String {
    let reasons: Vec<&str> = problem.errors().iter().map(|wrong| wrong.reason.as_str()).collect();
    if reasons.is_empty() { problem.detail().to_owned() } else { reasons.join("; ") }
}

/// The browser has come back.
async fn came_back(
    page: PageOf,
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Failing> {
    let address = uri.to_string();
    let asking = match app.consents().take_answered(&owner(page.who()), &address, app.engine().now()) {
        Ok(asking) => asking,
        Err(why) => return Ok(over(&page, Target::Later, &why.to_string())),
    };
    let answer = redeemed(&page, &app, &asking, &address).await?;
    // Nothing else writes down what a GET has changed.
    let entry = NewAuditEntry {
        who: page.who().name.clone(),
        address: caller.words(),
        action: "answer_authorization".to_owned(),
        target: Some(back(asking.target)),
        detail: Map::from_iter([("status".to_owned(), answer.status().as_u16().into())]),
        is_refused: answer.status().is_client_error(),
    };
    app.engine().audit(entry).await?;
    Ok(answer)
}

/// Turns the answer into what it is worth, and goes on with that.
async fn redeemed(page: &PageOf, app: &App, asking: &Asking, answer: &str) -> Result<Response, Failing> {
    match asking.redeem(answer).await {
        Ok(consent) if asking.target == Target::Later => {
            app.consents().keep(asking, consent, app.engine().now());
            let told = html! {
                h1 { "Connected" }
                p { "Charon has your consent. Go on in the program that has asked for it." }
            };
            Ok(page.titled("Connected", Section::Storages, &told).into_response())
        }
        Ok(consent) => Ok(adopted(app, &asking.owner, (asking.target, Some(&asking.asked_with)), consent)
            .await?
            .into_response()),
        Err(error) => {
            let words = if is_refusal(answer) {
                format!("No consent was given. {error}")
            } else {
                format!("It did not work: {error}")
            };
            Ok(over(page, asking.target, &words))
        }
    }
}

/// The draft or the storage has what came. Gives where to go on: the connection test is there.
async fn adopted(
    app: &App,
    owner: &str,
    (target, asked_with): (Target, Option<&AskedWith>),
    consent: Consent,
) -> Result<Redirect, Failing> {
    let engine = app.engine();
    match target {
        Target::Storage(id) => {
            engine.adopt_consent_of(id, consent, asked_with.map(|asked| &asked.config)).await?;
            Ok(Redirect::to(&format!("/storages/{id}?told=connected")))
        }
        Target::Draft(id) => into_draft(app, owner, id, (consent, asked_with), News::Connected),
        Target::Later => Ok(Redirect::to("/storages")),
    }
}

/// The draft has what came, unless it goes elsewhere by now than where it was asked for (I6).
fn into_draft(
    app: &App,
    owner: &str,
    id: Uuid,
    (consent, asked_with): (Consent, Option<&AskedWith>),
    news: News,
) -> Result<Redirect, Failing> {
    let engine = app.engine();
    let told = AccountTold { name: consent.account, id: consent.account_id };
    let taken = app.drafts().with(owner, id, engine.now(), |draft| {
        let schema = &engine.registry().provider(&draft.provider)?.describe().schema;
        let elsewhere = asked_with.map(|asked| asked.rebound(schema, &draft.fields)).unwrap_or_default();
        if elsewhere.is_empty() {
            draft.adopt(consent.field, consent.value, told);
            draft.news = Some(news);
        } else {
            let changed = elsewhere.join(", ");
            let words = format!("The consent was asked for before {changed} was changed: connect again.");
            draft.news = Some(News::NotSaved(words));
        }
        Ok::<_, Failing>(())
    });
    taken.ok_or_else(drafting::gone)??;
    Ok(Redirect::to(&drafting::path(id)))
}

/// What a person has brought in place of a consent is judged before it is taken.
async fn pasted(app: &App, owner: &str, target: Target, given: Consent) -> Result<Redirect, Failing> {
    let Target::Draft(id) = target else {
        return adopted(app, owner, (target, None), given).await;
    };
    let draft = app.drafts().with(owner, id, app.engine().now(), |draft| draft.clone());
    let mut draft = draft.ok_or_else(drafting::gone)?;
    draft.adopt(given.field, given.value.clone(), AccountTold::default());
    if let Err(Error::Config { mut mistakes, .. }) = drafting::open(app.engine(), &draft).await {
        // What else is wrong is told beside its field.
        mistakes.0.retain(|mistake| mistake.pointer == format!("/{}", given.field));
        if !mistakes.0.is_empty() {
            return Err(Problem::mistakes("", &mistakes).into());
        }
    }
    into_draft(app, owner, id, (given, None), News::Entered)
}

/// This asking is over, without a consent.
fn over(page: &PageOf, target: Target, words: &str) -> Response {
    let content = html! {
        h1 { "Not connected" }
        div.notice.bad role="alert" { p { (words) } }
        @match target {
            Target::Draft(id) => {
                p { a.button href=(drafting::path(id)) { "Back to the form, to connect again" } }
            },
            Target::Storage(id) => {
                form.actions method="post" action={ "/storages/" (id) "/reconnect" } {
                    (page.csrf())
                    button type="submit" { "Connect again" }
                    a.button.second href={ "/storages/" (id) } { "Back to the storage" }
                }
            },
            Target::Later => { p { a.button href="/storages" { "To the storages" } } },
        }
    };
    (StatusCode::BAD_REQUEST, page.titled("Not connected", Section::Storages, &content)).into_response()
}
