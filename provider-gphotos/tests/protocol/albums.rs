//! Albums.

use charon_provider::{Album, AlbumId, Class, Cursor, Reason, RemoteId};
use serde_json::{Value, json};

use crate::account::{Account, FRESH, json_response, refusal};

#[tokio::test]
async fn albums_are_listed_with_their_counts() {
    let account = Account::new(FRESH).await;
    let answer = json!({"nextPageToken": "n", "albums": [
        {"id": "a", "title": "Rome", "isWriteable": true, "mediaItemsCount": "12"},
        {"title": "no id"}, {"id": "b", "mediaItemsCount": 3, "coverPhotoMediaItemId": "photo"}, {"id": "c"}]});
    account.answer("GET", "/v1/albums", json_response(200, answer)).await;
    let page = account.storage.albums().unwrap().list(Some(&Cursor("from".into()))).await.unwrap();
    assert_eq!(page.next, Some(Cursor("n".into())));
    let album = |id: &str, title: &str, items, writable| Album {
        id: AlbumId(id.into()),
        title: title.into(),
        items: Some(items),
        writable,
        cover: (id == "b").then(|| RemoteId("photo".into())),
    };
    assert_eq!(
        page.albums,
        [album("a", "Rome", 12, true), album("b", "", 3, false), album("c", "", 0, false)]
    );
    assert_eq!(account.requests("/v1/albums").await[0].url.query(), Some("pageSize=50&pageToken=from"));
}

#[tokio::test]
async fn an_album_is_made_with_its_title() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/v1/albums", json_response(200, json!({"id": "a"}))).await;
    let albums = account.storage.albums().unwrap();
    let made = albums.create("Rome 📷").await.unwrap();
    assert_eq!((made.id.0.as_str(), made.title.as_str(), made.writable), ("a", "Rome 📷", true));
    let body: Value = account.requests("/v1/albums").await[0].body_json().unwrap();
    assert_eq!(body, json!({"album": {"title": "Rome 📷"}}));
    for wrong in [String::new(), "x".repeat(501)] {
        assert_eq!(albums.create(&wrong).await.unwrap_err().class, Class::Config);
    }
    assert_eq!(account.host.permits().len(), 1, "a wrong title cost a request");
}

#[tokio::test]
async fn an_album_whose_making_was_not_answered_may_be_there() {
    let account = Account::new(FRESH).await;
    account
        .answer("POST", "/v1/albums", refusal(503, "UNAVAILABLE", "The service is currently unavailable."))
        .await;
    let error = account.storage.albums().unwrap().create("Rome").await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, Reason::Unanswered));
}

#[tokio::test]
async fn items_are_added_to_an_album_by_their_ids() {
    let account = Account::new(FRESH).await;
    account.answer("POST", "/v1/albums/a%2Fb:batchAddMediaItems", json_response(200, json!({}))).await;
    let albums = account.storage.albums().unwrap();
    assert_eq!(albums.add_limit(), 50);
    albums.add(&AlbumId("a/b".into()), &[RemoteId("m1".into()), RemoteId("m2".into())]).await.unwrap();
    let body: Value = account.requests("/v1/albums/a%2Fb:batchAddMediaItems").await[0].body_json().unwrap();
    assert_eq!(body, json!({"mediaItemIds": ["m1", "m2"]}));
    albums.add(&AlbumId("a".into()), &[]).await.unwrap();
    assert_eq!(account.host.permits().len(), 1);
}
