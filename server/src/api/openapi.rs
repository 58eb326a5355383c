//! The OpenAPI 3.1 document, made from the endpoints themselves.

use axum::http::StatusCode;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    BASE,
    endpoint::{Answer, Endpoint},
    problem::{CONTENT_TYPE, Problem},
};

/// The document that describes these endpoints, by the resource that they belong to.
pub(crate) fn document(resources: &[(&'static str, &'static str, Vec<Endpoint>)]) -> Value {
    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let mut told = settings().for_serialize().into_generator();
    let mut taken = settings().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = Vec::new();
    for (resource, about, endpoints) in resources {
        tags.push(json!({ "name": resource, "description": about }));
        for endpoint in endpoints {
            let operation = operation(resource, endpoint, &mut told, &mut taken);
            let path = paths.entry(format!("{BASE}{}", endpoint.path)).or_insert_with(|| json!({}));
            path[endpoint.method.as_str().to_ascii_lowercase()] = operation;
        }
    }
    let problem = told.subschema_for::<Problem>();
    let responses = problems(&problem);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Charon",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Ferries photos between a home and Google Photos, on a schedule, without losing one. Whoever asks brings a \
                            token (`Authorization: Bearer charon_…`, made on the page Settings) with the scope that the endpoint needs: \
                            `read` < `run` < `admin`.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": told.take_definitions(true),
            "responses": responses,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "A token of the API, with a scope." },
            },
        },
    })
}

/// Every problem that there is, by its status.
fn problems(schema: &schemars::Schema) -> Value {
    let statuses =
        [400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 416, 421, 422, 428, 429, 500, 502, 503, 507];
    let told = statuses.into_iter().map(|status| {
        let response = json!({
            "description": in_words(status),
            "content": { CONTENT_TYPE: { "schema": schema } },
        });
        (format!("problem-{status}"), response)
    });
    Value::Object(told.collect())
}

fn in_words(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Problem")
}

fn operation(
    resource: &str,
    endpoint: &Endpoint,
    told: &mut SchemaGenerator,
    taken: &mut SchemaGenerator,
) -> Value {
    let mut answers: Map<String, Value> = Map::new();
    for answer in &endpoint.answers {
        add_answer(&mut answers, answer, told);
    }
    for status in endpoint.all_problems() {
        answers
            .entry(status.to_string())
            .or_insert_with(|| json!({ "$ref": format!("#/components/responses/problem-{status}") }));
    }
    let mut operation = json!({
        "tags": [resource],
        "operationId": endpoint.operation,
        "summary": endpoint.summary,
        "parameters": parameters(endpoint, taken),
        "responses": answers,
    });
    if let Some(scope) = endpoint.scope {
        operation["security"] = json!([{ "token": [] }]);
        operation["description"] =
            format!("Scope: `{}`. {}", scope.as_str(), endpoint.notes).trim_end().into();
        operation["x-scope"] = scope.as_str().into();
    } else {
        operation["security"] = json!([]);
        if !endpoint.notes.is_empty() {
            operation["description"] = endpoint.notes.into();
        }
    }
    if !endpoint.bodies.is_empty() {
        let content: Map<String, Value> = endpoint
            .bodies
            .iter()
            .map(|(media_type, make)| ((*media_type).to_owned(), json!({ "schema": make(taken) })))
            .collect();
        operation["requestBody"] = json!({ "required": endpoint.body_is_required, "content": content });
    }
    operation
}

fn add_answer(answers: &mut Map<String, Value>, answer: &Answer, told: &mut SchemaGenerator) {
    let entry = answers
        .entry(answer.status.to_string())
        .or_insert_with(|| json!({ "description": answer.description }));
    if let Some((media_type, make)) = answer.content {
        entry["content"][media_type] = match make {
            Some(make) => json!({ "schema": make(told) }),
            None => json!({}),
        };
    }
    for (name, description) in &answer.headers {
        entry["headers"][name] =
            json!({ "description": description, "required": true, "schema": { "type": "string" } });
    }
}

fn parameters(endpoint: &Endpoint, taken: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters = Vec::new();
    for name in endpoint.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        let own = endpoint.path_schemas.iter().find(|(path, _)| *path == name);
        let schema = match own {
            Some((_, make)) => make(taken).to_value(),
            None => json!({ "type": "string", "format": "uuid" }),
        };
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    if let Some(make) = endpoint.query {
        let query = make(taken).to_value();
        let required = query.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        for (name, schema) in query.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut schema = without_null(schema);
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter = json!({
                "name": name, "in": "query", "required": required.contains(&name.as_str().into()), "schema": schema,
            });
            if let Some(description) = description {
                parameter["description"] = description;
            }
            parameters.push(parameter);
        }
    }
    for (name, description, is_required) in &endpoint.headers {
        parameters.push(json!({
            "name": name, "in": "header", "required": is_required, "description": description,
            "schema": { "type": "string" },
        }));
    }
    parameters
}

/// A parameter of a query is there or not; there is no null in it.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(kinds) = schema.get_mut("type").filter(|kinds| kinds.is_array()) {
        let kept: Vec<Value> =
            kinds.as_array().into_iter().flatten().filter(|kind| *kind != "null").cloned().collect();
        *kinds = if let [one] = kept.as_slice() { one.clone() } else { kept.into() };
    }
    for word in ["anyOf", "oneOf"] {
        let Some(choices) = schema.get(word).and_then(Value::as_array) else { continue };
        let kept: Vec<Value> = choices.iter().filter(|choice| choice["type"] != "null").cloned().collect();
        if let [one] = kept.as_slice() {
            let mut one = one.clone();
            if let (Some(one), Some(whole)) = (one.as_object_mut(), schema.as_object()) {
                for (name, value) in whole.iter().filter(|(name, _)| *name != word) {
                    one.entry(name).or_insert_with(|| value.clone());
                }
            }
            return one;
        }
        schema[word] = kept.into();
    }
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    schema
}
