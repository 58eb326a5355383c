//! A browser with a new, empty profile, and what a person does with it: open a page, press, write, read, wait.

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};

use super::{chromedriver::Chromedriver, wire};

/// Nothing on a page takes longer to come, unless it never does.
const PATIENCE: Duration = Duration::from_mins(1);
/// Keys, as the protocol has them.
pub(super) const ENTER: char = '\u{E007}';
pub(super) const TAB: char = '\u{E004}';
/// How the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Runs before anything else of each page: what the page's policy forbids, and scripts that fail, are kept across pages.
const LISTENER: &str = r#"
    const keep = (words) => {
        const kept = JSON.parse(sessionStorage.getItem("kept by the test") ?? "[]");
        sessionStorage.setItem("kept by the test", JSON.stringify([...kept, `${location.pathname}: ${words}`]));
    };
    addEventListener("securitypolicyviolation", (event) =>
        keep(`against the policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`), true);
    addEventListener("error", (event) => event.message && keep(`a script failed: ${event.message}`), true);
    addEventListener("unhandledrejection", (event) => keep(`a promise failed: ${event.reason}`));
"#;

/// A browser. It is closed when it goes out of scope, and ends with the tests in any case.
#[derive(Debug)]
pub(crate) struct Browser {
    port: u16,
    session: String,
    _profile: TempDir,
}

/// Something on a page.
#[derive(Debug)]
pub(crate) struct Element<'browser> {
    browser: &'browser Browser,
    id: String,
}

impl Browser {
    /// Starts one; gives none, and says so, where none is installed.
    pub(crate) async fn start() -> Option<Self> {
        let driver = Chromedriver::of_this_process()?;
        let profile = tempfile::tempdir().expect("a folder");
        let wanted = wire::capabilities(profile.path().to_str().expect("a path"));
        let begun = wire::command(driver.port, "POST", "/session", &wanted).await.expect("a browser starts");
        driver.watches(begun["capabilities"]["goog:processID"].as_u64().expect("the browser's process"));
        let session = begun["sessionId"].as_str().expect("a session").to_owned();
        let browser = Self { port: driver.port, session, _profile: profile };
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({"source": LISTENER})).await;
        Some(browser)
    }

    async fn try_to(&self, method: &str, path: &str, body: &Value) -> Result<Value, wire::Refused> {
        wire::command(self.port, method, &format!("/session/{}{path}", self.session), body).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.try_to("POST", path, body).await.unwrap_or_else(|refused| panic!("{path} {body}: {refused}"))
    }

    /// Gives a command of the DevTools protocol.
    pub(super) async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters})).await
    }

    /// What the browser has written into its log since it was asked last.
    pub(super) async fn log(&self) -> Vec<Value> {
        let entries = self.post("/se/log", &json!({"type": "browser"})).await;
        entries.as_array().expect("a list").clone()
    }

    /// Goes to an address, as from the address bar.
    pub(crate) async fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url})).await;
    }

    /// The address of the page.
    pub(crate) async fn address(&self) -> String {
        let address = self.try_to("GET", "/url", &Value::Null).await.expect("an address");
        address.as_str().expect("a text").to_owned()
    }

    /// Runs a script in the page; `arguments` are its arguments, and what it returns is given.
    pub(crate) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": arguments})).await
    }

    /// The same for a script that gives its result later, to the function that is its last argument.
    pub(super) async fn run_until_it_tells(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/async", &json!({"script": script, "args": arguments})).await
    }

    /// Waits until the value of an expression is true. Fails, with what the page says, when that does not come.
    pub(crate) async fn until(&self, what: &str, expression: &str) {
        let script = format!("return Boolean({expression})");
        let body = json!({"script": script, "args": []});
        let seen = timeout(PATIENCE, async {
            let mut look = looking();
            loop {
                look.tick().await;
                // The page may be on its way to another one.
                if self.try_to("POST", "/execute/sync", &body).await.is_ok_and(|value| value == true) {
                    return;
                }
            }
        });
        let Err(_late) = seen.await else { return };
        panic!("this never came: {what} ({expression}) on {}: {}", self.address().await, self.text().await);
    }

    /// Waits until the path of the page begins like this.
    pub(crate) async fn arrives_at(&self, path: &str) {
        let path = Value::from(path);
        self.until(
            "a page",
            &format!("document.readyState === 'complete' && location.pathname.startsWith({path})"),
        )
        .await;
    }

    /// Waits until the path of the page is this.
    pub(crate) async fn arrives_at_exactly(&self, path: &str) {
        let path = Value::from(path);
        let expression = format!("document.readyState === 'complete' && location.pathname === {path}");
        self.until("a page", &expression).await;
    }

    /// Waits until the page says this somewhere.
    pub(crate) async fn says(&self, words: &str) {
        let expression =
            format!("document.body?.innerText.replace(/\\s+/g, ' ').includes({})", Value::from(words));
        self.until("some words", &expression).await;
    }

    /// What the page says.
    pub(crate) async fn text(&self) -> String {
        let text = self.run("return document.body?.innerText ?? ''", &[]).await;
        text.as_str().expect("a text").to_owned()
    }

    /// The first element of an XPath expression that can be seen, once there is one.
    pub(crate) async fn find(&self, xpath: &str) -> Element<'_> {
        const VISIBLE: &str = "const all = document.evaluate(arguments[0], document, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE);
            for (let i = 0; i < all.snapshotLength; i++) {
                const one = all.snapshotItem(i);
                if (one.checkVisibility()) return one;
            }
            return null;";
        let body = json!({"script": VISIBLE, "args": [xpath]});
        let found = timeout(PATIENCE, async {
            let mut look = looking();
            loop {
                look.tick().await;
                if let Ok(found) = self.try_to("POST", "/execute/sync", &body).await
                    && let Some(id) = found[ELEMENT].as_str()
                {
                    return Element { browser: self, id: id.to_owned() };
                }
            }
        });
        if let Ok(element) = found.await {
            return element;
        }
        panic!("there is no {xpath} on {}: {}", self.address().await, self.text().await)
    }

    /// The button or link with this name.
    pub(crate) async fn named(&self, name: &str) -> Element<'_> {
        let of = |is_it: &str| {
            format!(
                "//*[self::button or self::a or self::summary or @role='button'][not(@aria-hidden)][{is_it}]"
            )
        };
        self.find(&of(&format!("normalize-space(.)=\"{name}\" or @aria-label=\"{name}\""))).await
    }

    /// Presses the button or link with this name.
    pub(crate) async fn press(&self, name: &str) {
        self.named(name).await.click().await;
    }

    /// The field with this label.
    pub(crate) async fn field(&self, label: &str) -> Element<'_> {
        let named = format!("//label[starts-with(normalize-space(.), \"{label}\")]");
        let label = self.find(&named).await;
        let field = self.run("return arguments[0].control", &[label.value()]).await;
        let id = field[ELEMENT].as_str().unwrap_or_else(|| panic!("{named} labels nothing"));
        Element { browser: self, id: id.to_owned() }
    }

    /// Writes into the field with this label, in the place of what is there.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        field.clear().await;
        field.write(text).await;
    }

    /// Goes to the button or link with this name by the keyboard alone, and sees where it is all the way.
    pub(crate) async fn tab_to(&self, name: &str) {
        const FOCUSED: &str = "const one = document.activeElement;
            const style = getComputedStyle(one);
            const seen = one.matches(':focus-visible') && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
            return [(one.labels?.[0] ?? one).textContent.trim(), seen];";
        let mut passed = Vec::new();
        for _ in 0..100 {
            self.key(TAB).await;
            let focused = self.run(FOCUSED, &[]).await;
            assert_eq!(focused[1], true, "the focus is not seen: {focused}");
            let is_it = focused[0] == name;
            passed.push(focused[0].clone());
            if is_it {
                return;
            }
        }
        panic!("no tabulator leads to {name}: {passed:?}");
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn key(&self, key: char) {
        let presses = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": presses});
        self.post("/actions", &json!({"actions": [keyboard]})).await;
    }
}

impl Drop for Browser {
    /// Closes it, so that nobody writes into its profile any more; the watchman ends what does not end by this.
    fn drop(&mut self) {
        if let Err(error) = wire::close(self.port, &self.session) {
            eprintln!("the browser was not closed: {error}");
        }
    }
}

impl Element<'_> {
    /// As an argument of a script.
    pub(crate) fn value(&self) -> Value {
        json!({ELEMENT: self.id})
    }

    async fn post(&self, command: &str, body: &Value) -> Value {
        self.browser.post(&format!("/element/{}/{command}", self.id), body).await
    }

    /// Presses it. Fails where something else is above it.
    pub(crate) async fn click(&self) {
        self.post("click", &json!({})).await;
    }

    /// Takes away what is written in it.
    pub(crate) async fn clear(&self) {
        self.post("clear", &json!({})).await;
    }

    /// Writes into it, key by key.
    pub(crate) async fn write(&self, text: &str) {
        self.post("value", &json!({"text": text})).await;
    }
}

fn looking() -> tokio::time::Interval {
    let mut look = interval(Duration::from_millis(50));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look
}
