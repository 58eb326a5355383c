//! A request that shows whether uploads are allowed, and uploads nothing.

use charon_provider::Error;
use reqwest::header;

use super::{Api, Call};
use crate::{error::Subject, http::Answer, oauth::Bearer};

impl Api {
    /// `POST /v1/uploads` without a byte: gives whatever is answered, for a refusal tells the most, and the token that it was
    /// asked with, which is not renewed when it is refused.
    pub(crate) async fn send_nothing(&self) -> Result<(Answer, Bearer), Error> {
        let call = Call {
            doing: "check the right to upload",
            subject: Subject::Bytes,
            cost: self.send_cost,
            url: self.url(&["uploads"]),
            build: &|client, url| {
                client
                    .post(url)
                    .header(header::CONTENT_TYPE, "application/octet-stream")
                    .header(header::CONTENT_LENGTH, 0)
                    .header("X-Goog-Upload-Protocol", "raw")
            },
            progress: None,
        };
        let bearer = self.session().bearer().await?;
        let answer = self.attempt(&call, &bearer).await?;
        Ok((answer, bearer))
    }
}
