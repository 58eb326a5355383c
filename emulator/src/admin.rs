//! `/-/`: what the world is and how it shall misbehave, over HTTP. Nothing of Google's lives under that path.

use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{call::Call, error::json_response, fault::Fault, seed::Seed};

const HELP: &str = "GET stats, settings, faults, items[?hashes=false], albums, sent, served, time; PATCH settings, items/ID; POST \
                    stats/reset, faults, seed, expire, token, time/advance; DELETE faults[/NUMBER], items/ID, albums/ID";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of thing that can expire")]
struct Expire {
    #[serde(default)]
    base_urls: bool,
    #[serde(default)]
    access_tokens: bool,
    #[serde(default)]
    refresh_tokens: bool,
    #[serde(default)]
    page_tokens: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemChange {
    #[serde(default)]
    favorite: Option<bool>,
    #[serde(default)]
    archived: Option<bool>,
    #[serde(default)]
    filename: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    #[serde(default)]
    client_id: Option<String>,
    /// The address of another account than the one in the settings.
    #[serde(default)]
    account_email: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
}

/// The body of an admin request is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("the body cannot be read: {0}")]
struct BadBody(#[from] serde_json::Error);

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BadBody> {
    let body = if body.is_empty() { b"{}" } else { body };
    Ok(serde_json::from_slice(body)?)
}

fn refuse(status: StatusCode, text: &str) -> Response<Body> {
    json_response(status, &json!({"error": text}))
}

fn show(value: &impl serde::Serialize) -> Response<Body> {
    match serde_json::to_value(value) {
        Ok(value) => json_response(StatusCode::OK, &value),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn found(found: bool, otherwise: &str) -> Response<Body> {
    if found { show(&json!({})) } else { refuse(StatusCode::NOT_FOUND, otherwise) }
}

/// Answers an admin request.
pub(crate) fn answer(call: &Call, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
    route(call, method, path, body).unwrap_or_else(|bad| refuse(StatusCode::BAD_REQUEST, &bad.to_string()))
}

fn route(call: &Call, method: &Method, path: &str, body: &[u8]) -> Result<Response<Body>, BadBody> {
    let world = &call.world;
    Ok(match (method.as_str(), path) {
        ("GET", "help") => show(&json!({"help": HELP})),
        ("GET", "stats") => show(&world.stats()),
        ("POST", "stats/reset") => {
            world.reset_stats();
            show(&json!({}))
        }
        ("GET", "settings") => show(&world.settings()),
        ("PATCH", "settings") => {
            let changes: Value = parse(body)?;
            match world.patch_settings(&changes) {
                Ok(settings) => show(&settings),
                Err(error) => {
                    let cause =
                        std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    refuse(StatusCode::BAD_REQUEST, &format!("{error}: {cause}"))
                }
            }
        }
        ("GET", "faults") => show(&world.faults()),
        ("POST", "faults") => {
            let fault: Fault = parse(body)?;
            show(&json!({"number": world.add_fault(fault)}))
        }
        ("DELETE", "faults") => {
            world.clear_faults();
            show(&json!({}))
        }
        ("DELETE", path) if path.starts_with("faults/") => {
            let number = path.trim_start_matches("faults/").parse().unwrap_or(0);
            found(world.remove_fault(number), "there is no such fault")
        }
        ("POST", "seed") => show(&world.seed(&parse::<Seed>(body)?)),
        ("GET", "items") if call.query("hashes") == Some("false") => show(&world.items_without_hashes()),
        ("GET", "items") => show(&world.items()),
        ("PATCH", path) if path.starts_with("items/") => {
            let (id, change) = (path.trim_start_matches("items/"), parse::<ItemChange>(body)?);
            let done = [
                change.favorite.map(|favorite| world.set_favorite(id, favorite)),
                change.archived.map(|archived| world.set_archived(id, archived)),
                change.filename.map(|filename| world.set_filename(id, &filename)),
            ];
            found(!done.contains(&Some(false)), "there is no such item")
        }
        ("DELETE", path) if path.starts_with("items/") => {
            found(world.remove_item(path.trim_start_matches("items/")), "there is no such item")
        }
        ("DELETE", path) if path.starts_with("albums/") => {
            found(world.remove_album(path.trim_start_matches("albums/")), "there is no such album")
        }
        ("GET", "albums") => show(&world.albums()),
        ("GET", "sent") => show(&world.sent()),
        ("GET", "served") => show(&world.served()),
        ("GET", "time") => show(&json!({"now": world.now()})),
        ("POST", "time/advance") => {
            world.advance(SignedDuration::from_secs(parse::<Advance>(body)?.seconds));
            show(&json!({"now": world.now()}))
        }
        ("POST", "expire") => {
            let what: Expire = parse(body)?;
            if what.base_urls {
                world.expire_base_urls();
            }
            if what.access_tokens {
                world.expire_access_tokens();
            }
            if what.refresh_tokens {
                world.revoke_refresh_tokens();
            }
            if what.page_tokens {
                world.expire_page_tokens();
            }
            show(&json!({}))
        }
        ("POST", "token") => {
            let wanted: NewToken = parse(body)?;
            let client_id = wanted.client_id.unwrap_or_else(|| world.settings().default_client_id);
            let scopes: Vec<&str> = wanted.scopes.iter().map(String::as_str).collect();
            let account = wanted.account_email.unwrap_or_else(|| world.settings().account_email);
            let blob = world.token_blob_of(&account, &client_id, &scopes);
            let blob: Value = serde_json::from_str(&blob).unwrap_or_default();
            show(&blob)
        }
        _ => refuse(StatusCode::NOT_FOUND, HELP),
    })
}
