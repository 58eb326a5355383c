//! The pages that the browser shows at the end. They stand alone, and repeat nothing that the browser has sent.

use std::borrow::Cow;

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    status: &'static str,
    title: &'static str,
    text: Cow<'static, str>,
}

impl Page {
    /// The consent has been given, and taken.
    pub(crate) const WORKED: Self =
        Self::of("200 OK", "It worked", "Charon has your consent. You can close this page.");
    /// The person said no.
    pub(crate) const DENIED: Self = Self::of(
        "200 OK",
        "No consent was given",
        "Charon got no token. If that was not what you wanted, run the command again and allow what is asked for.",
    );
    /// The answer of another asking, or none.
    pub(crate) const OTHER_ASKING: Self = Self::of(
        "400 Bad Request",
        "This is not the answer that Charon waits for",
        "Open the address that Charon printed last, and give your consent there.",
    );
    /// Another path.
    pub(crate) const NOT_HERE: Self = Self::of("404 Not Found", "There is nothing here", "");
    /// No request that could be understood.
    pub(crate) const NOT_UNDERSTOOD: Self =
        Self::of("400 Bad Request", "This was not understood", "Charon waits for a browser here.");

    const fn of(status: &'static str, title: &'static str, text: &'static str) -> Self {
        Self { status, title, text: Cow::Borrowed(text) }
    }

    /// The consent came, and no token was had for it.
    pub(crate) fn failed(why: &str) -> Self {
        Self { status: "200 OK", title: "It did not work", text: Cow::Owned(escape(why)) }
    }

    /// The page as an answer of HTTP/1.1.
    pub(crate) fn to_http(&self) -> String {
        let Self { status, title, text } = self;
        let page = format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Charon: {title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <style>body{{font:16px/1.5 sans-serif;max-width:34em;margin:3em auto;padding:0 1em}}</style></head>\
             <body><h1>{title}</h1><p>{text}</p></body></html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nCache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{page}",
            page.len()
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
