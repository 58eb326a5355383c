//! What is set for the whole of it: a form from its schema.

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use charon_engine::{Error, InstanceSettings};
use charon_schema::{Mistake, Mistakes};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{Outcome, back, draw as draw_page, refuse_others};
use crate::{
    api::problem::Problem,
    app::App,
    ui::{
        failing::Failing,
        form::{SchemaForm, read},
        layout::PageOf,
    },
};

/// What was entered, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Refused {
    entered: Map<String, Value>,
    mistakes: Vec<Mistake>,
    seen: String,
}

pub(super) async fn draw(app: &App, page: &PageOf, refused: Option<&Refused>) -> Result<Markup, Failing> {
    refuse_others(page)?;
    let schema = InstanceSettings::schema();
    let now = app.engine().instance_settings().await?;
    let shown = match serde_json::to_value(&now.value) {
        Ok(Value::Object(shown)) => shown,
        _ => Map::new(),
    };
    let (config, mistakes, seen) = match refused {
        Some(refused) => (&refused.entered, refused.mistakes.as_slice(), refused.seen.clone()),
        None => (&shown, [].as_slice(), now.revision.to_string()),
    };
    Ok(html! {
        form method="post" action="/settings" {
            (page.csrf())
            input type="hidden" name="seen" value=(seen);
            (SchemaForm::new(&schema, config, mistakes).draw())
            button type="submit" { "Save" }
        }
    })
}

pub(super) async fn save(
    State(app): State<App>,
    page: PageOf,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Failing> {
    refuse_others(&page)?;
    let field = |name: &str| sent.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    let seen = field("seen").unwrap_or_default();
    let Ok(revision) = seen.parse() else {
        return Err(Problem::bad_request("the form does not say what it has seen; load the page anew").into());
    };
    let entered = read(&InstanceSettings::schema(), &sent);
    let refused = |mistakes| Refused { entered: entered.config.clone(), mistakes, seen: seen.clone() };
    if !entered.mistakes.is_empty() {
        let outcome = Outcome { general: Some(refused(entered.mistakes.clone())), ..Outcome::default() };
        return Ok(wrong(draw_page(&app, &page, outcome).await?));
    }
    match app.engine().replace_instance_settings(revision, entered.config.clone()).await {
        Ok(_) => Ok(back("saved")),
        Err(Error::Config { mistakes: Mistakes(mistakes), .. }) => {
            let outcome = Outcome { general: Some(refused(mistakes)), ..Outcome::default() };
            Ok(wrong(draw_page(&app, &page, outcome).await?))
        }
        Err(other) => Err(other.into()),
    }
}

fn wrong(page: Response) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}
