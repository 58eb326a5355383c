//! `/api`: the OpenAPI document as people read it. It is drawn from the document itself, which is made from the endpoints, so it says
//! what they do.

use axum::{Router, extract::State, http::HeaderMap, routing::get};
use maud::{Markup, html};
use serde_json::Value;

use super::{
    failing::Failing,
    form::in_code,
    layout::{Page, PageOf, Section},
    table::scrolling,
};
use crate::{api, app::App, public_url::shown_to};

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

pub(crate) fn router() -> Router<App> {
    Router::new().route("/api", get(show))
}

async fn show(page: PageOf, State(app): State<App>, headers: HeaderMap) -> Result<Page, Failing> {
    Ok(page.titled("API", Section::Settings, &draw(api::document(), &shown_to(&app, &headers))))
}

/// One method of one path, with its description.
struct Operation<'a> {
    method: &'static str,
    path: &'a str,
    told: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, methods)| {
            METHODS
                .into_iter()
                .filter_map(move |method| Some(Operation { method, path, told: methods.get(method)? }))
        })
        .collect()
}

fn draw(document: &Value, charon: &str) -> Markup {
    let operations = operations(document);
    let of = |tag: &str| operations.iter().filter(|one| one.told["tags"][0] == tag).collect::<Vec<_>>();
    let tags: Vec<&Value> = document["tags"].as_array().into_iter().flatten().collect();
    let name = |tag: &Value| tag["name"].as_str().unwrap_or_default().to_owned();
    html! {
        h1 { "API" }
        p { "Everything that these pages do, programs can do too. They bring a token (" code { "Authorization: Bearer charon_…" } "), which is made on
             the page " a href="/settings" { "Settings" } " with the scope that it needs: " code { "read" } " sees everything but secrets, "
            code { "run" } " asks for runs and sends files, " code { "admin" } " changes everything." }
        p { "The same for programs is the OpenAPI document " a href="/api/v1/openapi.json" { "/api/v1/openapi.json" } "." }
        p { "Lists come a page at a time: " code { "limit" } " says how long a page is, and " code { "next" } " of a page is the " code { "cursor" } " of
             the next one. What can be changed has an " code { "ETag" } ", and whoever changes it says with " code { "If-Match" } " which version was
             seen. What cannot be done is told as a problem (RFC 9457), with a pointer to each wrong field." }
        nav aria-label="Resources" {
            ul { @for tag in &tags { li { a href={ "#" (anchor(&name(tag))) } { (name(tag)) } " " span.soft { (text(&tag["description"])) } } } }
        }
        @for tag in &tags {
            section aria-labelledby=(anchor(&name(tag))) {
                h2 id=(anchor(&name(tag))) { (name(tag)) }
                @for one in of(&name(tag)) { (operation(one, document, charon)) }
            }
        }
        section aria-labelledby="schemas" {
            h2 id="schemas" { "What is told" }
            @for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
                details.card id={ "schema-" (anchor(name)) } {
                    summary { code { (name) } }
                    @if let Some(words) = schema["description"].as_str() { p { (in_code(words)) } }
                    (fields(schema, document, 0))
                }
            }
        }
    }
}

fn operation(one: &Operation<'_>, document: &Value, charon: &str) -> Markup {
    let told = one.told;
    let parameters: Vec<&Value> = told["parameters"].as_array().into_iter().flatten().collect();
    html! {
        details.card id=(text(&told["operationId"])) {
            summary {
                code { (one.method.to_uppercase()) " " (one.path) } " " (text(&told["summary"]))
                @if let Some(scope) = told["x-scope"].as_str() { " " span.state { (scope) } }
            }
            @if let Some(words) = told["description"].as_str() { p { (in_code(words)) } }
            @if !parameters.is_empty() {
                h3 { "Parameters" }
                (scrolling(&format!("Parameters of {}", text(&told["operationId"])), &listed(&parameters)))
            }
            @for (media_type, content) in told["requestBody"]["content"].as_object().into_iter().flatten() {
                h3 { "Body: " code { (media_type) } }
                (fields(&content["schema"], document, 0))
            }
            h3 { "Answers" }
            ul {
                @for (status, answer) in told["responses"].as_object().into_iter().flatten().filter(|(_, answer)| answer.get("$ref").is_none()) {
                    li { code { (status) } " " (text(&answer["description"]))
                        @for (media_type, content) in answer["content"].as_object().into_iter().flatten() {
                            ": " (if content["schema"].is_null() { html! { code { (media_type) } } } else { kind(&content["schema"]) })
                        }
                    }
                }
                li.soft { "Problems: " (problems(told)) }
            }
            h3 { "With curl" }
            pre tabindex="0" { code { (curl(one, charon)) } }
        }
    }
}

fn listed(parameters: &[&Value]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Name" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "What it is" } } }
            tbody { @for parameter in parameters { tr {
                td { code { (text(&parameter["name"])) } @if parameter["required"] == true { " (required)" } }
                td { (text(&parameter["in"])) }
                td { (kind(&parameter["schema"])) }
                td { (in_code(&text(&parameter["description"]))) }
            } } }
        }
    }
}

/// The statuses of the problems that it may answer with.
fn problems(told: &Value) -> String {
    let answers = told["responses"].as_object().into_iter().flatten();
    answers
        .filter(|(_, answer)| answer.get("$ref").is_some())
        .map(|(status, _)| status.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// The fields of an object, one below the other; those of objects within it, too.
fn fields(schema: &Value, document: &Value, depth: usize) -> Markup {
    let schema = resolved(schema, document);
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    html! {
        @if let Some(fields_of) = schema["properties"].as_object() {
            ul {
                @for (name, field) in fields_of {
                    li {
                        code { (name) } " " (kind(field)) @if required(name) { " (required)" }
                        @if let Some(words) = field["description"].as_str() { " " span.soft { (in_code(words)) } }
                        @if depth < 2 && field["properties"].is_object() { (self::fields(field, document, depth + 1)) }
                    }
                }
            }
        } @else {
            p { (kind(schema)) }
        }
    }
}

fn resolved<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

/// What kind of value it is, in a few words, with a link to what it refers to.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return html! { a href={ "#schema-" (anchor(name)) } { (name) } };
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().filter(|value| !value.is_null()).map(written).collect();
        return html! { (values.join(" | ")) };
    }
    if let Some(value) = schema.get("const") {
        return html! { (written(value)) };
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        if let Some(choices) = schema[word].as_array() {
            let choices: Vec<&Value> = choices.iter().filter(|choice| choice["type"] != "null").collect();
            return html! { @for (place, choice) in choices.iter().enumerate() { @if place > 0 { " or " } (kind(choice)) } };
        }
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => Vec::new(),
    };
    html! {
        @if names.contains(&"array") { "list of " (kind(&schema["items"])) }
        @else if names.is_empty() { "anything" }
        @else { (names.join(" or ")) }
        @if let Some(format) = schema["format"].as_str() { " (" (format) ")" }
    }
}

fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn curl(one: &Operation<'_>, charon: &str) -> String {
    let method = one.method.to_uppercase();
    let headers = one.told["parameters"].as_array().into_iter().flatten();
    let if_match = headers.filter(|header| header["name"] == "If-Match" && header["required"] == true);
    let mut lines = vec![format!("curl --fail-with-body -X {method} '{charon}{}'", one.path)];
    if one.told["security"].as_array().is_some_and(|security| !security.is_empty()) {
        lines.push("-H 'Authorization: Bearer charon_…'".into());
    }
    lines.extend(if_match.map(|_| "-H 'If-Match: \"…\"'".to_owned()));
    let content = one.told["requestBody"]["content"].as_object();
    let media_type = content.and_then(|content| content.keys().find(|name| *name != "image/jpeg"));
    match media_type.map(String::as_str) {
        Some("application/json") => lines.push("-H 'Content-Type: application/json' -d @body.json".into()),
        Some("multipart/form-data") => lines.push("-F album='Front door' -F file=@photo.jpg".into()),
        Some(_) if content.is_some_and(|content| content.contains_key("multipart/form-data")) => {
            lines.push("-F album='Front door' -F file=@photo.jpg".into());
        }
        Some(other) => lines.push(format!("-H 'Content-Type: {other}' --data-binary @file")),
        None => {}
    }
    lines.join(" \\\n  ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A name as it stands in an address.
fn anchor(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{draw, operations};
    use crate::api;

    #[test]
    fn every_operation_and_every_schema_has_its_place_on_the_page() {
        let document = api::document();
        let page = draw(document, "http://localhost:8484").into_string();
        let operations = operations(document);
        assert!(operations.len() > 20, "{}", operations.len());
        for one in &operations {
            let id = one.told["operationId"].as_str().expect("its name");
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
            assert!(page.contains(&format!("<code>{name}</code>")), "{name}");
        }
        // Whatever it links to is there.
        for rest in page.split("href=\"#").skip(1) {
            let id = rest.split('"').next().expect("its end");
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }

    #[test]
    fn an_example_says_what_the_endpoint_wants() {
        let page = draw(api::document(), "http://localhost:8484").into_string();
        assert!(page.contains("-F album='Front door' -F file=@photo.jpg"), "the upload");
        assert!(page.contains("If-Match"), "a change");
    }
}
