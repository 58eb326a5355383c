//! What every page has to keep to: nothing in the browser's log, nothing against the page's own policy, WCAG 2.1 A and AA in light
//! and in dark, no scrolling sideways on a phone.

use std::{fs, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use url::Url;

use super::{browser::Browser, chromedriver::is_ci};

/// Rules of axe-core; see `.ci/run` for which version is installed where.
const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/axe/node_modules/axe-core/axe.min.js");
const PHONE: u32 = 360;
/// A picture in the repository is no larger.
const LARGEST_PICTURE: usize = 150_000;

const JUDGE: &str = "
    const tell = arguments[arguments.length - 1];
    const rules = {runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}, resultTypes: ['violations']};
    const words = (rule) => rule.nodes.map((node) => `${rule.id} (${rule.help}): ${node.html.slice(0, 160)} ${node.failureSummary}`);
    axe.run(document, rules).then((result) => tell(result.violations.flatMap(words)), (error) => tell([String(error)]));";

/// What reaches beyond the right edge, without being in something that scrolls by itself.
const TOO_WIDE: &str = "
    const page = document.documentElement;
    if (page.scrollWidth <= arguments[0]) return [];
    const scrolls = (one) => one && one !== document.body &&
        (['auto', 'scroll', 'hidden'].includes(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
    const wide = [...document.body.querySelectorAll('*')]
        .filter((one) => one.getBoundingClientRect().right > arguments[0] + 1 && !scrolls(one.parentElement));
    return [`the page is ${page.scrollWidth} wide: ` + wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120)).join(' | ')];";

const KEPT: &str = "
    const kept = JSON.parse(sessionStorage.getItem('kept by the test') ?? '[]');
    sessionStorage.removeItem('kept by the test');
    return kept;";

/// By which colours a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Checks the page that is shown, and whatever led to it.
    pub(crate) async fn is_sound(&self) {
        self.is_sound_after(None).await;
    }

    /// The same for a page that answers something that was wrong with this status: the browser writes that into its log.
    pub(crate) async fn is_sound_after_refusal(&self, status: u16) {
        self.is_sound_after(Some(status)).await;
    }

    async fn is_sound_after(&self, refusal: Option<u16>) {
        let mut wrong = self.logged(refusal).await;
        self.phone().await;
        wrong.extend(texts(&self.run(TOO_WIDE, &[PHONE.into()]).await));
        self.desktop().await;
        for scheme in [Scheme::Dark, Scheme::Light] {
            self.dresses(scheme).await;
            let found = self.inaccessible().await;
            wrong.extend(found.into_iter().map(|words| format!("{}: {words}", scheme.name())));
        }
        wrong.extend(self.logged(refusal).await);
        assert!(wrong.is_empty(), "{} is not sound:\n{}", self.address().await, wrong.join("\n"));
    }

    /// What went wrong since it was asked last, as the browser's log and the page's own listener have it.
    async fn logged(&self, refusal: Option<u16>) -> Vec<String> {
        let status = refusal.map(|status| format!("the server responded with a status of {status} "));
        let mut wrong = texts(&self.run(KEPT, &[]).await);
        let address = Url::parse(&self.address().await).expect("an address");
        let site = address.origin().ascii_serialization();
        for entry in self.log().await {
            let message = entry["message"].as_str().unwrap_or_default();
            // What the consent page of another site does is none of ours.
            let is_elsewhere = message.starts_with("http") && !message.starts_with(&site);
            let is_bad = entry["level"] == "SEVERE"
                || entry["source"] == "security"
                || message.contains("Content Security Policy");
            let is_expected = status.as_ref().is_some_and(|status| message.contains(status.as_str()));
            if is_bad && !is_expected && !is_elsewhere {
                wrong.push(format!("in the log: {message}"));
            }
        }
        wrong
    }

    async fn inaccessible(&self) -> Vec<String> {
        let Ok(axe) = fs::read_to_string(AXE) else {
            assert!(!is_ci(), "{AXE} is not there: .ci/run installs it");
            eprintln!(
                "{AXE} is not there (.ci/run installs it): nobody looked whether the page is accessible"
            );
            return Vec::new();
        };
        if self.run("return typeof axe", &[]).await == "undefined" {
            self.run(&axe, &[]).await;
        }
        texts(&self.run_until_it_tells(JUDGE, &[]).await)
    }

    /// Looks at pages by these colours, and without movement.
    pub(crate) async fn dresses(&self, scheme: Scheme) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme.name()},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": features})).await;
    }

    /// Makes the window that of a narrow phone.
    pub(crate) async fn phone(&self) {
        let size = json!({"width": PHONE, "height": 740, "deviceScaleFactor": 2, "mobile": true});
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await;
    }

    /// Makes the window that of a desk again.
    pub(crate) async fn desktop(&self) {
        self.devtools("Emulation.clearDeviceMetricsOverride", &json!({})).await;
    }

    /// Keeps a picture of what is shown in `docs/screenshots`, where `CHARON_SCREENSHOTS` is set.
    pub(crate) async fn picture(&self, name: &str) {
        if std::env::var_os("CHARON_SCREENSHOTS").is_none() {
            return;
        }
        let wanted = json!({"format": "webp", "quality": 80});
        let shot = self.devtools("Page.captureScreenshot", &wanted).await;
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        assert!(bytes.len() <= LARGEST_PICTURE, "{name} has {} bytes", bytes.len());
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/screenshots"));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}.webp")), bytes).expect("it is written");
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
}
