//! Which of Google's methods a request means: routing by verb and path, and what each method needs.

use axum::http::Method;

/// Something a client can ask of the emulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Upload,
    /// A request on a resumable session, by the session's id.
    UploadSession(String),
    MediaItemsBatchCreate,
    MediaItemsList,
    MediaItemsSearch,
    MediaItemsBatchGet,
    MediaItemsGet(String),
    MediaItemsPatch(String),
    AlbumsList,
    AlbumsCreate,
    AlbumsGet(String),
    AlbumsPatch(String),
    AlbumsBatchAdd(String),
    AlbumsBatchRemove(String),
    AlbumsAddEnrichment(String),
    /// The sharing methods that died on 2025-03-31, by name.
    Sharing(&'static str),
    Discovery,
    /// A base URL: the token and what follows the `=`.
    Media {
        token: String,
        parameter: String,
        head: bool,
    },
    OAuthConsent,
    OAuthApprove,
    OAuthToken,
    OAuthRevoke,
    OAuthUserInfo,
    OAuthOpenIdConfiguration,
    OAuthDeviceCode,
    /// Behind `/-/`: the path after it.
    Admin(String),
    Unknown,
}

/// Families that are counted, throttled and refused alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Api,
    Media,
    OAuth,
    Admin,
    Other,
}

const APPEND: &str = "https://www.googleapis.com/auth/photoslibrary.appendonly";
const READ: &str = "https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata";
const EDIT: &str = "https://www.googleapis.com/auth/photoslibrary.edit.appcreateddata";
const OLD_ALL: &str = "https://www.googleapis.com/auth/photoslibrary";
pub(crate) const OLD_READ: &str = "https://www.googleapis.com/auth/photoslibrary.readonly";
const OLD_SHARING: &str = "https://www.googleapis.com/auth/photoslibrary.sharing";
const PICKER: &str = "https://www.googleapis.com/auth/photospicker.mediaitems.readonly";

/// The scopes of Google Photos that still exist (facts §1).
pub(crate) const CURRENT_SCOPES: [&str; 4] = [APPEND, READ, EDIT, PICKER];
/// The scopes that were removed on 2025-03-31.
pub(crate) const REMOVED_SCOPES: [&str; 3] = [OLD_ALL, OLD_READ, OLD_SHARING];

impl Operation {
    pub(crate) fn of(method: &Method, path: &str) -> Operation {
        let path = path.strip_suffix('/').filter(|_| path.len() > 1).unwrap_or(path);
        if let Some(rest) = path.strip_prefix("/-/") {
            return Operation::Admin(rest.to_owned());
        }
        if let Some(rest) = path.strip_prefix("/v1/uploads") {
            return match (method, rest.strip_prefix('/')) {
                (&Method::POST, None) if rest.is_empty() => Operation::Upload,
                (&Method::POST | &Method::PUT, Some(id)) => Operation::UploadSession(id.to_owned()),
                _ => Operation::Unknown,
            };
        }
        if let Some(rest) = path.strip_prefix("/v1/") {
            return Operation::library(method, rest);
        }
        if let Some(rest) = path.strip_prefix("/lr/") {
            let (token, parameter) = rest.split_once('=').unwrap_or((rest, ""));
            return match *method {
                Method::GET | Method::HEAD => Operation::Media {
                    token: token.to_owned(),
                    parameter: parameter.to_owned(),
                    head: method == Method::HEAD,
                },
                _ => Operation::Unknown,
            };
        }
        match (method, path) {
            (&Method::GET, "/$discovery/rest" | "/%24discovery/rest") => Operation::Discovery,
            (&Method::GET, "/o/oauth2/auth" | "/o/oauth2/v2/auth") => Operation::OAuthConsent,
            (&Method::POST, "/o/oauth2/approve") => Operation::OAuthApprove,
            (&Method::POST, "/token" | "/oauth2/v4/token" | "/oauth2/v3/token" | "/o/oauth2/token") => {
                Operation::OAuthToken
            }
            (&Method::POST | &Method::GET, "/revoke" | "/o/oauth2/revoke") => Operation::OAuthRevoke,
            (
                &Method::POST | &Method::GET,
                "/oauth2/v1/userinfo" | "/oauth2/v2/userinfo" | "/oauth2/v3/userinfo" | "/v1/userinfo",
            ) => Operation::OAuthUserInfo,
            (&Method::GET, "/.well-known/openid-configuration") => Operation::OAuthOpenIdConfiguration,
            (&Method::POST, "/device/code") => Operation::OAuthDeviceCode,
            _ => Operation::Unknown,
        }
    }

    fn library(method: &Method, path: &str) -> Operation {
        let (head, verb) = path.split_once(':').map_or((path, ""), |(head, verb)| (head, verb));
        let (collection, id) =
            head.split_once('/').map_or((head, None), |(head, id)| (head, Some(id.to_owned())));
        match (method.as_str(), collection, id, verb) {
            ("POST", "mediaItems", None, "batchCreate") => Operation::MediaItemsBatchCreate,
            ("GET", "mediaItems", None, "") => Operation::MediaItemsList,
            ("POST", "mediaItems", None, "search") => Operation::MediaItemsSearch,
            ("GET", "mediaItems", None, "batchGet") => Operation::MediaItemsBatchGet,
            ("GET", "mediaItems", Some(id), "") => Operation::MediaItemsGet(id),
            ("PATCH", "mediaItems", Some(id), "") => Operation::MediaItemsPatch(id),
            ("GET", "albums", None, "") => Operation::AlbumsList,
            ("POST", "albums", None, "") => Operation::AlbumsCreate,
            ("GET", "albums", Some(id), "") => Operation::AlbumsGet(id),
            ("PATCH", "albums", Some(id), "") => Operation::AlbumsPatch(id),
            ("POST", "albums", Some(id), "batchAddMediaItems") => Operation::AlbumsBatchAdd(id),
            ("POST", "albums", Some(id), "batchRemoveMediaItems") => Operation::AlbumsBatchRemove(id),
            ("POST", "albums", Some(id), "addEnrichment") => Operation::AlbumsAddEnrichment(id),
            ("POST", "albums", Some(_), "share") => Operation::Sharing("albums.share"),
            ("POST", "albums", Some(_), "unshare") => Operation::Sharing("albums.unshare"),
            ("GET", "sharedAlbums", None, "") => Operation::Sharing("sharedAlbums.list"),
            ("GET", "sharedAlbums", Some(_), "") => Operation::Sharing("sharedAlbums.get"),
            ("POST", "sharedAlbums", None, "join") => Operation::Sharing("sharedAlbums.join"),
            ("POST", "sharedAlbums", None, "leave") => Operation::Sharing("sharedAlbums.leave"),
            ("GET" | "POST", "userinfo", None, "") => Operation::OAuthUserInfo,
            _ => Operation::Unknown,
        }
    }

    /// The name under which the request is counted and faults find it. `command` is `X-Goog-Upload-Command`.
    pub(crate) fn name(&self, command: Option<&str>) -> &'static str {
        match self {
            Operation::Upload | Operation::UploadSession(_) => match command {
                Some(command) if command.contains("start") => "uploads.start",
                Some(command) if command.contains("finalize") => "uploads.finalize",
                Some(command) if command.contains("upload") => "uploads.upload",
                Some(command) if command.contains("query") => "uploads.query",
                Some(command) if command.contains("cancel") => "uploads.cancel",
                _ => "uploads",
            },
            Operation::MediaItemsBatchCreate => "mediaItems.batchCreate",
            Operation::MediaItemsList => "mediaItems.list",
            Operation::MediaItemsSearch => "mediaItems.search",
            Operation::MediaItemsBatchGet => "mediaItems.batchGet",
            Operation::MediaItemsGet(_) => "mediaItems.get",
            Operation::MediaItemsPatch(_) => "mediaItems.patch",
            Operation::AlbumsList => "albums.list",
            Operation::AlbumsCreate => "albums.create",
            Operation::AlbumsGet(_) => "albums.get",
            Operation::AlbumsPatch(_) => "albums.patch",
            Operation::AlbumsBatchAdd(_) => "albums.batchAddMediaItems",
            Operation::AlbumsBatchRemove(_) => "albums.batchRemoveMediaItems",
            Operation::AlbumsAddEnrichment(_) => "albums.addEnrichment",
            Operation::Sharing(name) => name,
            Operation::Discovery => "discovery",
            Operation::Media { head: false, .. } => "media.bytes",
            Operation::Media { head: true, .. } => "media.head",
            Operation::OAuthConsent => "oauth.auth",
            Operation::OAuthApprove => "oauth.approve",
            Operation::OAuthToken => "oauth.token",
            Operation::OAuthRevoke => "oauth.revoke",
            Operation::OAuthUserInfo => "oauth.userinfo",
            Operation::OAuthOpenIdConfiguration => "oauth.openid_configuration",
            Operation::OAuthDeviceCode => "oauth.device_code",
            Operation::Admin(_) => "admin",
            Operation::Unknown => "unknown",
        }
    }

    pub(crate) fn family(&self) -> Family {
        match self {
            Operation::Media { .. } => Family::Media,
            Operation::OAuthConsent
            | Operation::OAuthApprove
            | Operation::OAuthToken
            | Operation::OAuthRevoke
            | Operation::OAuthUserInfo
            | Operation::OAuthOpenIdConfiguration
            | Operation::OAuthDeviceCode => Family::OAuth,
            Operation::Admin(_) => Family::Admin,
            Operation::Discovery | Operation::Unknown => Family::Other,
            _ => Family::Api,
        }
    }

    /// The scopes of which one is enough (facts, "Scope needed per method"). `None`: no scope is enough.
    pub(crate) fn scopes(&self) -> Option<&'static [&'static str]> {
        Some(match self {
            Operation::Sharing(_) => return None,
            Operation::Upload
            | Operation::UploadSession(_)
            | Operation::MediaItemsBatchCreate
            | Operation::AlbumsCreate => &[APPEND],
            Operation::MediaItemsPatch(_) | Operation::AlbumsPatch(_) => &[EDIT],
            Operation::AlbumsBatchAdd(_)
            | Operation::AlbumsBatchRemove(_)
            | Operation::AlbumsAddEnrichment(_) => &[APPEND, EDIT],
            _ => &[READ],
        })
    }

    /// Whether it changes the library through a structured call (not the upload of bytes).
    pub(crate) fn is_write(&self) -> bool {
        matches!(
            self,
            Operation::MediaItemsBatchCreate
                | Operation::MediaItemsPatch(_)
                | Operation::AlbumsCreate
                | Operation::AlbumsPatch(_)
                | Operation::AlbumsBatchAdd(_)
                | Operation::AlbumsBatchRemove(_)
                | Operation::AlbumsAddEnrichment(_)
        )
    }

    pub(crate) fn is_upload(&self) -> bool {
        matches!(self, Operation::Upload | Operation::UploadSession(_))
    }

    /// The album that a write changes, where the path names it.
    pub(crate) fn album(&self) -> Option<&str> {
        match self {
            Operation::AlbumsPatch(id)
            | Operation::AlbumsBatchAdd(id)
            | Operation::AlbumsBatchRemove(id)
            | Operation::AlbumsAddEnrichment(id) => Some(id),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_methods() {
        let name = |method, path| Operation::of(&method, path).name(None);
        assert_eq!(name(Method::GET, "/v1/albums"), "albums.list");
        assert_eq!(name(Method::POST, "/v1/albums/a:batchAddMediaItems"), "albums.batchAddMediaItems");
        assert_eq!(name(Method::GET, "/v1/mediaItems:batchGet"), "mediaItems.batchGet");
        assert_eq!(name(Method::GET, "/v1/sharedAlbums"), "sharedAlbums.list");
        assert_eq!(name(Method::HEAD, "/lr/abc=d"), "media.head");
        assert_eq!(name(Method::DELETE, "/v1/mediaItems/abc"), "unknown");
    }
}
