//! A request that shows whether uploads are allowed, and uploads nothing.

use charon_provider::Error;
use reqwest::header;

use super::{Api, Call};
use crate::{error::Subject, http::Answer};

impl Api {
    /// `POST /v1/uploads` without a byte: gives whatever is answered, for a refusal tells the most. The token is not renewed
    /// when it is refused.
    pub(crate) async fn send_nothing(&self) -> Result<Answer, Error> {
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
        self.attempt(&call, &bearer).await
    }
}
