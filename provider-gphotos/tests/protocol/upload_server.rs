//! A server that takes uploads in sessions, byte by byte, and breaks them off where it is told to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What happens to a request that sends bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chunk {
    /// It is taken.
    Taken,
    /// The connection breaks after so many bytes, which the server has.
    CutAfter(usize),
    /// So many bytes are had, and this status is answered.
    Refused(u16, usize),
    /// None of it is had, and the server wants to be left alone for a while.
    AskedToWait,
    /// So many bytes are had, and then nothing moves.
    StallAfter(usize),
    /// It is taken, and the connection breaks before the answer.
    Unanswered,
}

/// One request, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) command: String,
    pub(crate) offset: Option<u64>,
    pub(crate) announced: u64,
    pub(crate) authorization: String,
    pub(crate) head: String,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The bytes that it has.
    pub(crate) bytes: Vec<u8>,
    pub(crate) seen: Vec<Seen>,
    /// What happens to the next chunks; those after them are taken.
    pub(crate) chunks: VecDeque<Chunk>,
    pub(crate) granularity: Option<u64>,
    /// Where it says that the session is, if not where it is.
    pub(crate) url: Option<String>,
    /// What it answers to queries instead of the truth: a status and headers.
    pub(crate) to_queries: Option<(u16, &'static str)>,
    /// Whether a query after the end is answered with the upload token.
    pub(crate) repeats_the_token: bool,
    is_final: bool,
    /// Called at the first byte of each chunk.
    pub(crate) at_first_byte: Option<Tell>,
}

pub(crate) struct Tell(pub(crate) Box<dyn Fn() + Send>);

impl std::fmt::Debug for Tell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tell")
    }
}

pub(crate) struct UploadServer {
    pub(crate) uri: String,
    state: Arc<Mutex<State>>,
}

impl UploadServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::<Mutex<State>>::default();
        let (shared, base) = (Arc::clone(&state), uri.clone());
        // It ends with the runtime of its test.
        drop(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(tokio::spawn(serve(stream, Arc::clone(&shared), base.clone())));
            }
        }));
        Self { uri, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The commands that came, with where the bytes of each begin and how many there are to be.
    pub(crate) fn commands(&self) -> Vec<(String, Option<u64>, u64)> {
        self.state().seen.iter().map(|seen| (seen.command.clone(), seen.offset, seen.announced)).collect()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>, base: String) {
    let mut stream = BufReader::new(stream);
    while let Some(answer) = one(&mut stream, &state, &base).await {
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Takes one request; `None` hangs up.
async fn one(stream: &mut BufReader<TcpStream>, state: &Mutex<State>, base: &str) -> Option<String> {
    let mut head = String::new();
    loop {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
        if head.ends_with("\r\n\r\n") {
            break;
        }
    }
    let header = |name: &str| {
        let found = head.lines().filter_map(|line| line.split_once(':'));
        found
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .next()
    };
    let command = header("x-goog-upload-command").unwrap_or_default();
    let announced: u64 = header("content-length").and_then(|text| text.parse().ok()).unwrap_or_default();
    let offset: Option<u64> = header("x-goog-upload-offset").and_then(|text| text.parse().ok());
    let authorization = header("authorization").unwrap_or_default();
    let seen = Seen { command: command.clone(), offset, announced, authorization, head: head.clone() };
    lock(state).seen.push(seen);
    match command.as_str() {
        "start" => {
            let state = lock(state);
            let url = state.url.clone().unwrap_or_else(|| format!("{base}/session?id=secret-session"));
            let granularity =
                state.granularity.map(|size| format!("X-Goog-Upload-Chunk-Granularity: {size}\r\n"));
            let headers = format!("X-Goog-Upload-URL: {url}\r\n{}", granularity.unwrap_or_default());
            Some(answer(200, &format!("X-Goog-Upload-Status: active\r\n{headers}"), ""))
        }
        "query" => {
            let state = lock(state);
            if let Some((status, headers)) = state.to_queries {
                return Some(answer(status, headers, ""));
            }
            let status = if state.is_final { "final" } else { "active" };
            let received = state.bytes.len();
            let headers =
                format!("X-Goog-Upload-Status: {status}\r\nX-Goog-Upload-Size-Received: {received}\r\n");
            let token = if state.is_final && state.repeats_the_token { "upload-token-1" } else { "" };
            Some(answer(200, &headers, token))
        }
        _ => chunk(stream, state, offset, announced, command.contains("finalize")).await,
    }
}

async fn chunk(
    stream: &mut BufReader<TcpStream>,
    state: &Mutex<State>,
    offset: Option<u64>,
    announced: u64,
    finalizes: bool,
) -> Option<String> {
    let plan = lock(state).chunks.pop_front().unwrap_or(Chunk::Taken);
    let announced = usize::try_from(announced).expect("a small test");
    let (taken, read) = match plan {
        Chunk::Taken | Chunk::Unanswered => (announced, announced),
        Chunk::CutAfter(bytes) | Chunk::StallAfter(bytes) => (bytes, bytes),
        Chunk::Refused(_, bytes) => (bytes, announced),
        Chunk::AskedToWait => (0, announced),
    };
    let mut buffer = vec![0; 64 * 1024];
    let mut had = 0;
    while had < read {
        let most = buffer.len().min(read - had);
        let count = stream.read(&mut buffer[..most]).await.ok().filter(|count| *count > 0)?;
        let mut state = lock(state);
        if had == 0
            && let Some(tell) = &state.at_first_byte
        {
            (tell.0)();
        }
        let kept = count.min(taken.saturating_sub(had));
        state.bytes.extend_from_slice(&buffer[..kept]);
        had += count;
    }
    if matches!(plan, Chunk::StallAfter(_)) {
        // Ten minutes pass in no time, in which whoever sends may notice; then time is real again.
        tokio::time::pause();
        tokio::time::sleep(std::time::Duration::from_secs(601)).await;
        tokio::time::resume();
        return std::future::pending().await;
    }
    let mut state = lock(state);
    let begins = state.bytes.len() - taken;
    assert_eq!(offset, Some(begins as u64), "the chunk is not where the server goes on");
    state.is_final |= finalizes && matches!(plan, Chunk::Taken | Chunk::Unanswered);
    match plan {
        Chunk::CutAfter(_) | Chunk::StallAfter(_) | Chunk::Unanswered => None,
        Chunk::Refused(status, _) => Some(answer(status, "", "")),
        Chunk::AskedToWait => Some(answer(503, "Retry-After: 9\r\n", "")),
        Chunk::Taken if finalizes => Some(answer(200, "X-Goog-Upload-Status: final\r\n", "upload-token-1")),
        Chunk::Taken => Some(answer(200, "X-Goog-Upload-Status: active\r\n", "")),
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
