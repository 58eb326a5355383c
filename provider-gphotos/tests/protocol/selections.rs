//! What is asked of Google for each selection, and how a listing goes on.

use charon_provider::{AlbumChoice, AlbumId, Class, Cursor, Error, Kind, Page, Reason, Selection};
use serde_json::{Value, json};
use wiremock::{Mock, ResponseTemplate, matchers};

use crate::account::{Account, FRESH, json_response, refusal};

async fn list(account: &Account, wanted: &Selection, from: Option<&Cursor>) -> Result<Page, Error> {
    account.storage.source().expect("a source").list(wanted, from).await
}

/// Lists to the end: the ids of each page.
async fn walk(account: &Account, wanted: &Selection) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut from = None;
    loop {
        let page = list(account, wanted, from.as_ref()).await.expect("a page");
        pages.push(page.items.into_iter().map(|item| item.id.0).collect());
        from = page.next;
        if from.is_none() {
            return pages;
        }
        assert!(pages.len() < 20, "the listing has no end");
    }
}

fn these(ids: &[&str]) -> Selection {
    let ids = ids.iter().map(|id| AlbumId((*id).into())).collect();
    Selection { albums: AlbumChoice::These(ids), ..Selection::default() }
}

/// Answers a search of this album, from this page on.
async fn album(account: &Account, id: &str, token: Option<&str>, answer: ResponseTemplate) {
    let mut body = json!({"albumId": id, "pageSize": 100});
    if let Some(token) = token {
        body["pageToken"] = token.into();
    }
    Mock::given(matchers::path("/v1/mediaItems:search"))
        .and(matchers::body_json(body))
        .respond_with(answer)
        .mount(&account.server)
        .await;
}

fn items(ids: &[&str], next: Option<&str>) -> ResponseTemplate {
    let items: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    let mut answer = json!({"mediaItems": items});
    if let Some(next) = next {
        answer["nextPageToken"] = next.into();
    }
    json_response(200, answer)
}

#[tokio::test]
async fn filters_say_no_more_than_what_nobody_else_can_tell() {
    let favourites = json!({"includedFeatures": ["FAVORITES"]});
    for (include_archived, favourite, filters) in [
        (true, false, json!({"includeArchivedMedia": true})),
        (false, true, json!({"featureFilter": favourites})),
        (true, true, json!({"includeArchivedMedia": true, "featureFilter": favourites})),
    ] {
        let account = Account::new(FRESH).await;
        account.answer("POST", "/v1/mediaItems:search", items(&["a"], None)).await;
        // Kind and year are looked at here: Google's filters hide what is new, and what is dated in the future.
        let wanted = Selection {
            include_archived,
            favourites: favourite,
            kind: Some(Kind::Video),
            start_year: Some(2020),
            ..Selection::default()
        };
        assert_eq!(walk(&account, &wanted).await, [["a"]]);
        let body: Value = account.requests("/v1/mediaItems:search").await[0].body_json().unwrap();
        assert_eq!(body, json!({"pageSize": 100, "filters": filters}));
    }
    let account = Account::new(FRESH).await;
    let future = json!({"mediaItems": [
        {"id": "f", "filename": "", "mimeType": "video/mp4", "mediaMetadata": {"creationTime": "2999-01-01T00:00:00Z"}}]});
    account.answer("GET", "/v1/mediaItems", json_response(200, future)).await;
    let wanted = Selection { kind: Some(Kind::Photo), start_year: Some(2020), ..Selection::default() };
    let page = list(&account, &wanted, None).await.unwrap();
    assert_eq!((page.items[0].id.0.as_str(), page.items[0].file_name.as_str()), ("f", ""));
    assert!(wanted.leaves_out(&page.items[0]).is_some());
}

#[tokio::test]
async fn chosen_albums_are_listed_one_after_the_other() {
    let account = Account::new(FRESH).await;
    album(&account, "rome", None, items(&["1"], Some("r2"))).await;
    // An empty page is not the end.
    album(&account, "rome", Some("r2"), items(&[], Some("r3"))).await;
    album(&account, "rome", Some("r3"), items(&["2"], None)).await;
    album(&account, "oslo", None, items(&["2", "3"], None)).await;
    // Archived or not, what is in an album is listed; Google takes no filters beside an album.
    let wanted = Selection { include_archived: true, ..these(&["rome", "oslo", "rome"]) };
    let pages = walk(&account, &wanted).await;
    assert_eq!(pages, [vec!["1"], vec![], vec!["2"], vec!["2", "3"]]);
    assert_eq!(account.host.permits(), ["api"; 4]);
}

#[tokio::test]
async fn every_album_is_found_page_by_page_and_one_that_is_gone_meanwhile_is_passed_over() {
    let account = Account::new(FRESH).await;
    let albums = |ids: &[&str], next: Option<&str>| {
        let albums: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        json_response(200, json!({"albums": albums, "nextPageToken": next}))
    };
    Mock::given(matchers::path("/v1/albums"))
        .and(matchers::query_param("pageToken", "more"))
        .respond_with(albums(&["oslo"], None))
        .with_priority(1)
        .mount(&account.server)
        .await;
    account.answer("GET", "/v1/albums", albums(&["rome", "gone", ""], Some("more"))).await;
    album(&account, "rome", None, items(&["1"], Some("r2"))).await;
    album(&account, "rome", Some("r2"), items(&["2"], None)).await;
    album(&account, "gone", None, refusal(404, "NOT_FOUND", "Requested entity was not found.")).await;
    album(&account, "oslo", None, items(&["3"], None)).await;
    let wanted = Selection { albums: AlbumChoice::Every, ..Selection::default() };
    let pages = walk(&account, &wanted).await;
    assert_eq!(pages, [vec![], vec!["1"], vec!["2"], vec![], vec![], vec!["3"]]);

    // Another process goes on from the cursor.
    let first = list(&account, &wanted, None).await.unwrap();
    let (storage, _) = crate::account::open(&account.server.uri(), FRESH, json!({}));
    let page = storage.source().unwrap().list(&wanted, first.next.as_ref()).await.unwrap();
    assert_eq!(page.items[0].id.0, "1");

    let empty = Account::new(FRESH).await;
    empty.answer("GET", "/v1/albums", json_response(200, json!({}))).await;
    assert_eq!(walk(&empty, &wanted).await, [Vec::<String>::new()]);
}

#[tokio::test]
async fn a_chosen_album_that_is_gone_is_named() {
    for answer in [
        refusal(404, "NOT_FOUND", "Requested entity was not found."),
        refusal(400, "INVALID_ARGUMENT", "Invalid album ID."),
    ] {
        let account = Account::new(FRESH).await;
        album(&account, "rome", None, answer).await;
        let error = list(&account, &these(&["rome"]), None).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Config, Reason::NotFound), "{error}");
        assert!(error.cause.contains("rome"), "{error}");
    }
}

#[tokio::test]
async fn a_selection_that_google_cannot_answer_costs_no_request() {
    let account = Account::new(FRESH).await;
    let favourites = Selection { favourites: true, ..these(&["rome"]) };
    for wanted in [favourites, these(&[])] {
        let error = list(&account, &wanted, None).await.unwrap_err();
        assert_eq!(error.class, Class::Config, "{error}");
        assert!(error.cure.is_some());
    }
    assert!(account.host.permits().is_empty());
}

#[tokio::test]
async fn a_page_token_that_is_refused_ends_the_listing_and_not_the_run() {
    let bad = || refusal(400, "INVALID_ARGUMENT", "Request contains an invalid argument.");
    let account = Account::new(FRESH).await;
    account.answer("GET", "/v1/mediaItems", bad()).await;
    account.answer("GET", "/v1/albums", bad()).await;
    account.answer("POST", "/v1/mediaItems:search", bad()).await;
    let token = Cursor("expired".into());
    let in_album = Cursor(json!({"albums": ["rome"], "page": "expired"}).to_string());
    let in_albums = Cursor(json!({"albums": [], "more": {"From": "expired"}}).to_string());
    let archived = Selection { include_archived: true, ..Selection::default() };
    let every = Selection { albums: AlbumChoice::Every, ..Selection::default() };
    for (wanted, from) in [
        (&Selection::default(), &token),
        (&archived, &token),
        (&these(&["rome"]), &in_album),
        (&every, &in_albums),
        // A cursor of another kind of listing.
        (&every, &token),
    ] {
        let error = list(&account, wanted, Some(from)).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Transient, Reason::ListingExpired), "{error}");
    }
    let error = account.storage.albums().unwrap().list(Some(&token)).await.unwrap_err();
    assert_eq!(error.reason, Reason::ListingExpired);
    // Without a token, it is the request that is wrong.
    let error = list(&account, &Selection::default(), None).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Config, Reason::Other), "{error}");
}
