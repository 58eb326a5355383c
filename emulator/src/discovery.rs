//! `/$discovery/rest`: as much of Google's discovery document as gphotos-sync builds its client from (facts §9).

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use serde_json::{Value, json};

use crate::{call::Call, error::json_response};

fn method(id: &str, verb: &str, path: &str, query: &[&str]) -> Value {
    let mut parameters = serde_json::Map::new();
    for name in query {
        parameters.insert((*name).to_owned(), json!({"location": "query", "type": "string"}));
    }
    if let Some(name) = path.split_once("{+").and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name)
    {
        parameters.insert(
            name.to_owned(),
            json!({"location": "path", "type": "string", "required": true, "pattern": "^[^/]+$"}),
        );
    }
    json!({"id": format!("photoslibrary.{id}"), "path": path, "flatPath": path, "httpMethod": verb, "parameters": parameters})
}

/// The document, with the address under which the client sees the emulator.
pub(crate) fn answer(call: &Call) -> Response<Body> {
    let base = format!("{}/", call.origin.api);
    let paging = ["pageSize", "pageToken", "excludeNonAppCreatedData"];
    let list = ["pageSize", "pageToken"];
    let document = json!({
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "photoslibrary:v1",
        "name": "photoslibrary",
        "version": "v1",
        "title": "Photos Library API",
        "protocol": "rest",
        "rootUrl": base,
        "baseUrl": base,
        "servicePath": "",
        "basePath": "",
        "batchPath": "batch",
        "resources": {
            "mediaItems": {"methods": {
                "batchCreate": method("mediaItems.batchCreate", "POST", "v1/mediaItems:batchCreate", &[]),
                "batchGet": method("mediaItems.batchGet", "GET", "v1/mediaItems:batchGet", &["mediaItemIds"]),
                "get": method("mediaItems.get", "GET", "v1/mediaItems/{+mediaItemId}", &[]),
                "list": method("mediaItems.list", "GET", "v1/mediaItems", &list),
                "patch": method("mediaItems.patch", "PATCH", "v1/mediaItems/{+id}", &["updateMask"]),
                "search": method("mediaItems.search", "POST", "v1/mediaItems:search", &[]),
            }},
            "albums": {"methods": {
                "create": method("albums.create", "POST", "v1/albums", &[]),
                "get": method("albums.get", "GET", "v1/albums/{+albumId}", &[]),
                "list": method("albums.list", "GET", "v1/albums", &paging),
                "patch": method("albums.patch", "PATCH", "v1/albums/{+id}", &["updateMask"]),
                "addEnrichment": method("albums.addEnrichment", "POST", "v1/albums/{+albumId}:addEnrichment", &[]),
                "batchAddMediaItems":
                    method("albums.batchAddMediaItems", "POST", "v1/albums/{+albumId}:batchAddMediaItems", &[]),
                "batchRemoveMediaItems":
                    method("albums.batchRemoveMediaItems", "POST", "v1/albums/{+albumId}:batchRemoveMediaItems", &[]),
                "share": method("albums.share", "POST", "v1/albums/{+albumId}:share", &[]),
                "unshare": method("albums.unshare", "POST", "v1/albums/{+albumId}:unshare", &[]),
            }},
            "sharedAlbums": {"methods": {
                "get": method("sharedAlbums.get", "GET", "v1/sharedAlbums/{+shareToken}", &[]),
                "list": method("sharedAlbums.list", "GET", "v1/sharedAlbums", &paging),
                "join": method("sharedAlbums.join", "POST", "v1/sharedAlbums:join", &[]),
                "leave": method("sharedAlbums.leave", "POST", "v1/sharedAlbums:leave", &[]),
            }},
        },
        "schemas": {},
    });
    json_response(StatusCode::OK, &document)
}
