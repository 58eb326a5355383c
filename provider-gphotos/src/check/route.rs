//! Which way a request to a token endpoint goes: straight, or through the proxy that the environment names.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

/// The way to a URL, as words that read well after "asked". The rules (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) are those of
/// the HTTP client itself, so that this is what it does. Of the proxy, its credentials are left out.
pub(super) fn to(url: &Url) -> String {
    through(url, &Matcher::from_system())
}

fn through(url: &Url, proxies: &Matcher) -> String {
    // Plain http is spoken to this machine alone, and never through a proxy.
    let is_straight = url.scheme() != "https";
    let proxy = url.as_str().parse().ok().and_then(|target| proxies.intercept(&target));
    match proxy.filter(|_| !is_straight) {
        None => "directly".to_owned(),
        Some(proxy) => {
            let host = proxy.uri().host().unwrap_or("?");
            let port = proxy.uri().port_u16().map(|port| format!(":{port}")).unwrap_or_default();
            format!("through the proxy {host}{port}, which the environment names")
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::client::proxy::matcher::Matcher;

    use super::through;

    #[test]
    fn the_proxy_in_force_is_named_without_its_credentials() {
        // I6
        let proxies = Matcher::builder()
            .all("http://pat:hunter2@proxy.example.org:3128")
            .no("localhost,.internal.example.org")
            .build();
        let way = |url: &str| through(&url.parse().unwrap(), &proxies);
        assert_eq!(
            way("https://oauth2.googleapis.com/token"),
            "through the proxy proxy.example.org:3128, which the environment names"
        );
        assert_eq!(way("https://oauth.internal.example.org/token"), "directly");
        assert_eq!(way("http://127.0.0.1:8080/token"), "directly");
        let none = Matcher::builder().build();
        assert_eq!(through(&"https://oauth2.googleapis.com/token".parse().unwrap(), &none), "directly");
    }
}
