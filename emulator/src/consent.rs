//! The consent page: what a person sees in a browser, and the redirect with the code.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use jiff::SignedDuration;
use url::Url;

use crate::{
    account::is_identity,
    call::Call,
    error::answer,
    grants::full,
    oauth::{Code, is_scope},
};

struct Request {
    client_id: String,
    redirect_uri: Url,
    /// As it was written: the token endpoint compares it letter by letter.
    redirect_text: String,
    scopes: Vec<String>,
    state: Option<String>,
    challenge: Option<(String, bool)>,
    offline: bool,
}

/// The request of the client is wrong: the person sees a page, and nobody is redirected.
#[derive(Debug, thiserror::Error)]
#[error("{error}: {description}")]
struct Refused {
    error: &'static str,
    description: String,
}

fn refuse(error: &'static str, description: &str) -> Refused {
    Refused { error, description: description.to_owned() }
}

impl Refused {
    fn page(&self) -> Response<Body> {
        let page = format!(
            "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Error 400: {error}</title>\
             <h1>Access blocked: authorization error</h1><p>{}</p><p>Error 400: {error}</p></html>",
            escape(&self.description),
            error = self.error,
        );
        answer(StatusCode::BAD_REQUEST, "text/html; charset=utf-8", page)
    }
}

fn parse(call: &Call, fields: &BTreeMap<String, String>) -> Result<Request, Refused> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let settings = &call.world.lock().settings;
    if field("client_id").is_empty() {
        return Err(refuse("invalid_request", "Missing required parameter: client_id"));
    }
    if !settings.clients.is_empty() && !settings.clients.contains_key(field("client_id")) {
        return Err(refuse("invalid_client", "The OAuth client was not found."));
    }
    if field("response_type") != "code" {
        return Err(refuse("invalid_request", "Required parameter is missing or unsupported: response_type"));
    }
    let Ok(redirect_uri) = Url::parse(field("redirect_uri")) else {
        // The out-of-band flow ended in 2022.
        return Err(refuse("invalid_request", "Missing or invalid parameter: redirect_uri"));
    };
    if !matches!(redirect_uri.scheme(), "http" | "https") {
        return Err(refuse("invalid_request", "The out-of-band (OOB) flow has been blocked."));
    }
    let scopes: Vec<String> = field("scope").split_whitespace().map(str::to_owned).collect();
    if scopes.is_empty() {
        return Err(refuse("invalid_request", "Missing required parameter: scope"));
    }
    if let Some(unknown) = scopes.iter().find(|scope| !is_scope(scope, settings.legacy_scopes)) {
        let text = format!("Some requested scopes were invalid. {{invalid=[{unknown}]}}");
        return Err(refuse("invalid_scope", &text));
    }
    let challenge = match (field("code_challenge"), field("code_challenge_method")) {
        ("", _) => None,
        (challenge, "S256") => Some((challenge.to_owned(), true)),
        (challenge, "" | "plain") => Some((challenge.to_owned(), false)),
        _ => return Err(refuse("invalid_request", "Unknown code_challenge_method")),
    };
    Ok(Request {
        client_id: field("client_id").to_owned(),
        redirect_uri,
        redirect_text: field("redirect_uri").to_owned(),
        scopes,
        state: fields.get("state").cloned(),
        challenge,
        // A loopback redirect is that of an installed application, which always gets a refresh token.
        offline: field("access_type") != "online",
    })
}

/// Shows the page, or answers it when consent is automatic.
pub(crate) fn page(call: &Call) -> Response<Body> {
    let fields: BTreeMap<String, String> = call.query.iter().cloned().collect();
    let request = match parse(call, &fields) {
        Ok(request) => request,
        Err(refused) => return refused.page(),
    };
    let settings = call.world.settings();
    if settings.auto_approve || settings.auto_deny {
        return redirect(call, request, !settings.auto_deny);
    }
    let mut hidden = String::new();
    for (name, value) in &fields {
        let (name, value) = (escape(name), escape(value));
        hidden.push_str(&["<input type=\"hidden\" name=\"", &name, "\" value=\"", &value, "\">"].concat());
    }
    let mut scopes = String::new();
    for scope in &request.scopes {
        scopes.push_str(&["<li><code>", &escape(scope), "</code></li>"].concat());
    }
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Emulated Google consent</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{{font:16px/1.5 sans-serif;max-width:34em;margin:3em auto;padding:0 1em}}\
         button{{font:inherit;padding:.5em 1.5em;margin-right:1em}}</style></head><body>\
         <h1>{} wants access to an emulated Google account</h1>\
         <p>This is the emulator, not Google. The account is {}. It asks for:</p><ul>{scopes}</ul>\
         <form method=\"post\" action=\"/o/oauth2/approve\">{hidden}\
         <button name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Cancel</button></form></body></html>",
        escape(&request.client_id),
        escape(&settings.account_email),
    );
    answer(StatusCode::OK, "text/html; charset=utf-8", page)
}

/// The form of the page was sent.
pub(crate) fn decide(call: &Call, body: &[u8]) -> Response<Body> {
    let fields: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
    match parse(call, &fields) {
        Ok(request) => {
            let allowed = fields.get("decision").is_some_and(|decision| decision == "allow");
            redirect(call, request, allowed)
        }
        Err(refused) => refused.page(),
    }
}

fn redirect(call: &Call, mut request: Request, allowed: bool) -> Response<Body> {
    let now = call.world.now();
    if let Some(granted) = call.world.settings().granted_scopes {
        let granted: Vec<&str> = granted.iter().map(String::as_str).collect();
        let ticked = if granted.is_empty() { Vec::new() } else { full(&granted) };
        request.scopes.retain(|scope| is_identity(scope) || ticked.contains(scope));
    }
    // With no box ticked there is nothing to consent to.
    let allowed = allowed && !request.scopes.is_empty();
    let mut target = request.redirect_uri.clone();
    if let Some(state) = &request.state {
        target.query_pairs_mut().append_pair("state", state);
    }
    if allowed {
        let mut state = call.world.lock();
        let code = state.random.text("4/0A", 73);
        target.query_pairs_mut().append_pair("code", &code).append_pair("scope", &request.scopes.join(" "));
        let code_for = Code {
            client_id: request.client_id,
            account: state.settings.account(),
            redirect_uri: request.redirect_text,
            scopes: request.scopes,
            challenge: request.challenge,
            offline: request.offline,
            expires_at: now.checked_add(SignedDuration::from_mins(10)).unwrap_or(now),
        };
        state.tokens.codes.insert(code, code_for);
    } else {
        target.query_pairs_mut().append_pair("error", "access_denied");
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let location = HeaderValue::from_str(target.as_str()).expect("a URL is printable");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
