//! What a backup plan says of the paths in its mirror.

use charon_schema::{Mistake, Mistakes};

use super::BackupConfig;
use crate::{
    naming::{DEFAULT, Layout},
    schedule::named_zone,
};

pub(super) fn usual() -> String {
    DEFAULT.into()
}

pub(super) fn is_usual(layout: &str) -> bool {
    layout == DEFAULT
}

pub(super) fn utc() -> String {
    "UTC".into()
}

pub(super) fn is_utc(zone: &str) -> bool {
    zone == "UTC"
}

impl BackupConfig {
    /// How the paths of its mirror are made up.
    pub(crate) fn layout(&self) -> Result<Layout, Mistakes> {
        let wrong = |field, why| Mistake::in_field(field, why);
        let unknown = || {
            let zone = &self.time_zone;
            format!("is no time zone that is known here: {zone}; use UTC, or a name such as Europe/Berlin")
        };
        let zone = named_zone(&self.time_zone).ok_or_else(|| wrong("time_zone", unknown()));
        match (Layout::read(&self.layout).map_err(|why| wrong("layout", why)), zone) {
            (Ok(layout), Ok(zone)) => Ok(layout.in_zone(zone)),
            (layout, zone) => Err(Mistakes(layout.err().into_iter().chain(zone.err()).collect())),
        }
    }

    /// Whether paths are made up as they are where a plan says nothing of them.
    pub fn has_usual_layout(&self) -> bool {
        is_usual(&self.layout) && is_utc(&self.time_zone)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::PlanConfig;

    fn read(more: &Value) -> Result<Value, String> {
        let mut config = json!({"kind": "backup", "storage": "x", "destination": "/m"});
        let fields = config.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let plan = PlanConfig::read(fields.clone()).map_err(|mistakes| mistakes.to_string())?;
        Ok(serde_json::to_value(plan).expect("JSON"))
    }

    #[test]
    fn a_layout_is_stored_where_it_is_not_the_usual_one() {
        let usual = json!({"layout": "photos/{year}/{month}/{name}", "time_zone": "UTC"});
        for more in [json!({}), usual] {
            let plan = read(&more).expect("a plan");
            assert_eq!((plan.get("layout"), plan.get("time_zone")), (None, None));
        }
        let plan = read(&json!({"layout": "{camera}/{name}", "time_zone": "Europe/Berlin"})).expect("a plan");
        assert_eq!(
            (&plan["layout"], &plan["time_zone"]),
            (&json!("{camera}/{name}"), &json!("Europe/Berlin"))
        );
    }

    #[test]
    fn what_is_wrong_is_told_where_it_is() {
        for (more, told) in [
            (json!({"layout": "{moon}/{name}"}), "layout: has the placeholder {moon}, which is not known"),
            (json!({"layout": "{year}"}), "layout: has neither {name} nor {id}"),
            (json!({"layout": "../{name}"}), "layout: has .. in it"),
            (json!({"layout": ""}), "layout: "),
            (
                json!({"time_zone": "Mars/Olympus"}),
                "time_zone: is no time zone that is known here: Mars/Olympus",
            ),
        ] {
            let mistake = read(&more).expect_err("a mistake");
            assert!(mistake.starts_with(told), "{mistake}");
        }
        let both = read(&json!({"layout": "{", "time_zone": ""})).expect_err("mistakes");
        assert!(both.contains("layout: ") && both.contains("time_zone: "), "{both}");
    }
}
