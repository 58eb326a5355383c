//! Forms of the schemas that there are: drawn, sent back by a browser, read.

mod browser;

use charon_schema::{ConfigSchema, Mistake, Shape, fields, property, shape};
use maud::html;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{SchemaForm, read, secrets_of};
use browser::submit;

/// Every schema that people fill in.
fn schemas() -> Vec<(&'static str, ConfigSchema)> {
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let schema = |json: &Value| ConfigSchema::from_json(json.clone()).expect("a schema");
    let plans = read(include_str!("../../../../../docs/schema/plan.json"));
    let notify = read(include_str!("../../../../../docs/schema/notify.json"));
    let mut all = vec![("gphotos", schema(&read(include_str!("../../../../../docs/schema/gphotos.json"))))];
    all.extend(["backup", "upload"].map(|kind| (kind, schema(&plans[kind]))));
    all.extend(["webhook", "ntfy", "email", "ping"].map(|kind| (kind, schema(&notify[kind]))));
    all
}

fn named(name: &str) -> ConfigSchema {
    schemas().into_iter().find(|(known, _)| *known == name).expect("there is one").1
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object") };
    map
}

fn drawn(schema: &ConfigSchema, config: &Map<String, Value>, mistakes: &[Mistake]) -> String {
    SchemaForm::new(schema, config, mistakes).without("/commands").draw().into_string()
}

fn read_back(schema: &ConfigSchema, config: &Map<String, Value>) -> Map<String, Value> {
    let entered = read(schema, &submit(&drawn(schema, config, &[])));
    assert_eq!(entered.mistakes, []);
    entered.config
}

/// What a form says of a configuration: without its secrets, what is as it is by default anyway, and what says nothing.
fn as_a_form_has_it(object: &Value, config: &Map<String, Value>) -> Map<String, Value> {
    let mut said = Map::new();
    for (name, value) in config {
        let property = property(object, name).expect("a known field");
        let is_default = value.is_boolean() && property.get("default") == Some(value);
        if property["x-secret"] == true || is_default {
            continue;
        }
        match value {
            Value::Object(inner) => {
                let inner = as_a_form_has_it(property, inner);
                if !inner.is_empty() {
                    said.insert(name.clone(), inner.into());
                }
            }
            other => {
                said.insert(name.clone(), other.clone());
            }
        }
    }
    said
}

/// Configurations that a schema takes, more or less: what it holds is of the types that it wants.
fn configs(object: &Value) -> BoxedStrategy<Value> {
    let text =
        || "[a-zA-Z0-9<>&\"' ü,\\[\\]{}=~/-]{1,20}".prop_filter("not blank", |text| text.trim() == text);
    let mut all: BoxedStrategy<Map<String, Value>> = Just(Map::new()).boxed();
    for name in fields(object).into_iter().filter(|name| *name != "commands") {
        let property = property(object, name).expect("a field").clone();
        let one_of = |choices: Vec<charon_schema::Choice<'_>>| {
            let words: Vec<String> = choices.iter().map(|choice| choice.value.to_owned()).collect();
            prop::sample::select(words).prop_map(Value::from)
        };
        let lists = prop::collection::vec(text(), 1..4).prop_map(Value::from);
        let value: BoxedStrategy<Value> = match shape(&property) {
            Shape::Fields => configs(&property),
            Shape::Boolean => any::<bool>().prop_map(Value::from).boxed(),
            Shape::Number { .. } => any::<u16>().prop_map(Value::from).boxed(),
            Shape::Choice(choices) => one_of(choices).boxed(),
            Shape::List => lists.boxed(),
            Shape::ChoiceOrList(choices) => prop_oneof![one_of(choices), lists].boxed(),
            Shape::Text => prop_oneof![
                text().prop_map(Value::from),
                Just(json!("two\nlines")),
                Just(json!("\nbegins with one"))
            ]
            .boxed(),
            Shape::Json => Just(json!({"a": "b"})).boxed(),
        };
        let name = name.to_owned();
        all = (all, prop::option::of(value))
            .prop_map(move |(mut map, value)| {
                if let Some(value) = value {
                    map.insert(name.clone(), value);
                }
                map
            })
            .boxed();
    }
    all.prop_map(Value::Object).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_drawn_and_sent_back_is_what_it_was(
        configs in schemas().iter().map(|(_, schema)| configs(schema.as_json())).collect::<Vec<_>>()
    ) {
        for ((name, schema), config) in schemas().iter().zip(configs) {
            let config = map(config);
            let back = read_back(schema, &config);
            let expected = as_a_form_has_it(schema.as_json(), &config);
            prop_assert_eq!(back, expected, "{} {:?}", name, config);
        }
    }

    #[test]
    fn no_secret_is_ever_drawn(secret in "[A-Za-z0-9]{12}") {
        // I6
        for (name, schema) in schemas() {
            let config: Map<String, Value> = schema
                .fields()
                .into_iter()
                .filter(|field| schema.is_secret(field))
                .flat_map(|field| [(field.to_owned(), json!(secret))])
                .collect();
            let form = SchemaForm::new(&schema, &config, &[]).stored(secrets_of(&schema, &config));
            prop_assert!(!form.draw().into_string().contains(&secret), "{}", name);
        }
    }
}

#[test]
fn nothing_entered_is_nothing_said() {
    for (name, schema) in schemas() {
        assert_eq!(read_back(&schema, &Map::new()), Map::new(), "{name}");
    }
}

#[test]
fn every_control_has_a_label_and_every_id_is_there_once() {
    for (name, schema) in schemas() {
        let html = drawn(&schema, &Map::new(), &[]);
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let labels: Vec<&str> =
            html.split("<label for=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for label in &labels {
            assert!(ids.contains(label), "{name}: the label for {label} has no control");
        }
        for tag in html
            .split('<')
            .filter(|tag| ["input", "select", "textarea"].iter().any(|one| tag.starts_with(one)))
        {
            let id = browser::attribute(tag, "id");
            let is_labelled = id.is_some_and(|id| labels.contains(&id.as_str()))
                || browser::attribute(tag, "aria-label").is_some()
                || tag.contains("type=\"hidden\"");
            assert!(is_labelled, "{name}: <{tag}");
            if let Some(described_by) = browser::attribute(tag, "aria-describedby") {
                assert!(described_by.split(' ').all(|id| ids.contains(&id)), "{name}: <{tag}");
            }
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: an id is there twice");
        assert!(
            !html.contains("style=") && !html.contains("<script") && !html.contains(" onclick="),
            "{name}"
        );
    }
}

#[test]
fn fields_are_drawn_as_their_schema_says() {
    let html = drawn(&named("gphotos"), &Map::new(), &[]);
    for expected in [
        "<legend>Account</legend>",
        r#"<input type="password" id="field-token" name="/token" autocomplete="new-password" spellcheck="false" required"#,
        r#"<input type="hidden" name="/read_only" value="false"><input type="checkbox" id="field-read_only" name="/read_only" value="true" aria"#,
        r#"name="/connections" min="1" max="64" step="1" placeholder="16""#,
        r#"<span class="unit"> connections</span>"#,
        "From 1 to 64.",
        "<code>charon authorize</code>",
        r#"<option value="" selected>as usual (sync)</option><option value="sync">sync</option>"#,
        r#"<details class="advanced"><summary>Advanced</summary>"#,
        r#"<span class="required"> (required)</span>"#,
    ] {
        assert!(html.contains(expected), "{expected} is not in {html}");
    }
    let backup = drawn(&named("backup"), &Map::new(), &[]);
    for expected in [
        r#"<fieldset id="field-schedule" aria-describedby="field-schedule-help"><legend>Schedule</legend>"#,
        r#"<option value="skip">skip – Nothing</option>"#,
        r#"<option value="true">yes</option>"#,
        r#"<select id="field-selection-albums" name="/selection/albums~kind""#,
    ] {
        assert!(backup.contains(expected), "{expected} is not in {backup}");
    }
    // A plan may be without a schedule, so nothing in it is asked for.
    assert!(!backup.contains(r#"name="/schedule/cron" required"#));
    assert!(!backup.contains("/commands"), "what is left out is not drawn");
}

#[test]
fn mistakes_stand_beside_their_fields_and_at_the_top_with_links() {
    let mistakes = [
        Mistake { pointer: "/schedule/cron".into(), reason: "is wrong".into() },
        Mistake {
            pointer: "/full_listing_hours".into(),
            reason: "must be a whole number, without quotes".into(),
        },
        Mistake { pointer: "/selection/albums/1".into(), reason: "is blank".into() },
        Mistake { pointer: "/commands/before".into(), reason: "is not set here".into() },
        Mistake { pointer: String::new(), reason: "the whole is wrong".into() },
    ];
    let config = map(json!({"schedule": {"cron": "61 * * * *"}, "full_listing_hours": "ten"}));
    let html = drawn(&named("backup"), &config, &mistakes);
    for expected in [
        "5 things are to be corrected",
        r##"<a href="#field-schedule-cron">Schedule, Due</a>: is wrong"##,
        r##"<a href="#field-selection-albums">Selection, Albums</a>: is blank"##,
        "<li>Commands, Before: is not set here</li>",
        "<li>the whole is wrong</li>",
        r#"name="/schedule/cron" value="61 * * * *""#,
        r#"aria-invalid="true" aria-describedby="field-schedule-cron-mistake field-schedule-cron-help""#,
        r#"<p class="mistake" id="field-schedule-cron-mistake">Due: is wrong</p>"#,
        // What is no number is shown all the same, and the fold that holds it is open.
        r#"<input type="text" id="field-full_listing_hours" name="/full_listing_hours" value="ten""#,
        r#"<details class="advanced" open><summary>Advanced</summary><div class="field wrong">"#,
        "must be a whole number</p>",
    ] {
        assert!(html.contains(expected), "{expected} is not in {html}");
    }
}

#[test]
fn a_stored_secret_is_not_asked_for_and_a_field_that_is_fixed_is_sent_as_it_is() {
    let schema = named("gphotos");
    let config = map(json!({"token": "••••••••", "client_id": "1-a"}));
    let form = SchemaForm::new(&schema, &config, &[])
        .stored(secrets_of(&schema, &config))
        .fixed("/client_id")
        .control("/description", |field| html! { b id=(field.id()) { "instead" } })
        .behind("/start_year", html! { i { "behind" } })
        .draw()
        .into_string();
    for expected in [
        r#"spellcheck="false" placeholder="entered, not shown" aria-describedby"#,
        "leave it empty to keep it",
        "Whoever changes it enters the secrets again.",
        r#"name="/client_id" value="1-a" readonly"#,
        r#"<b id="field-description">instead</b>"#,
        "<i>behind</i>",
    ] {
        assert!(form.contains(expected), "{expected} is not in {form}");
    }
    assert_eq!(Value::Object(read(&schema, &submit(&form)).config), json!({"client_id": "1-a"}));
}

#[test]
fn what_browsers_send_is_read_as_the_schema_wants_it() {
    let read_all = |schema: &ConfigSchema, sent: &[(&str, &str)]| {
        let sent: Vec<_> =
            sent.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(schema, &sent)
    };
    let backup = named("backup");
    for (sent, expected) in [
        (vec![("/schedule/cron", ""), ("/schedule/missed", "")], json!({})),
        (vec![("/schedule/windows", "a, b\r\n\r\n c ")], json!({"schedule": {"windows": ["a, b", "c"]}})),
        (
            vec![("/schedule/windows", "a"), ("/schedule/windows", "b")],
            json!({"schedule": {"windows": ["a", "b"]}}),
        ),
        (
            vec![("/selection/favourites", "false"), ("/selection/favourites", "true")],
            json!({"selection": {"favourites": true}}),
        ),
        (vec![("/selection/albums", "Summer, 2019")], json!({"selection": {"albums": ["Summer, 2019"]}})),
        (
            vec![("/selection/albums~kind", "every"), ("/selection/albums", "")],
            json!({"selection": {"albums": "every"}}),
        ),
        (vec![("/selection/albums~kind", ""), ("/selection/albums", "")], json!({})),
        (
            vec![("/selection/albums~kind", "~list"), ("/selection/albums", "")],
            json!({"selection": {"albums": []}}),
        ),
        (
            vec![("/full_listing_hours", " 12 "), ("csrf", "x"), ("name", "y")],
            json!({"full_listing_hours": 12}),
        ),
        (vec![("/full_listing_hours", "twelve")], json!({"full_listing_hours": "twelve"})),
        (vec![("/colour/of", "blue")], json!({"colour": "blue"})),
    ] {
        let entered = read_all(&backup, &sent);
        assert_eq!((Value::Object(entered.config), entered.mistakes.len()), (expected, 0), "{sent:?}");
    }
    let both = read_all(&backup, &[("/selection/albums~kind", "every"), ("/selection/albums", "Summer")]);
    assert_eq!(both.mistakes[0].pointer, "/selection/albums");
    let headers =
        read_all(&named("webhook"), &[("/headers", r#"{"Authorization": "x"}"#), ("/url", "https://a")]);
    assert_eq!(Value::Object(headers.config), json!({"headers": {"Authorization": "x"}, "url": "https://a"}));
}
