//! `charon notify …`.

use charon_engine::{ChannelChoice, ChannelView, DeliveryState, Engine};
use serde_json::{Value, json};

use crate::{
    args::{Choice, Notify},
    exit::{Exit, Failure},
    output::{Output, read_object, table},
};

pub(crate) async fn run(engine: &Engine, command: Notify, output: Output) -> Result<Exit, Failure> {
    match command {
        Notify::Add { name, kind, config, choice } => {
            let view = engine.add_channel(&name, &kind, read_object(&config)?, chosen(choice)).await?;
            output
                .print(&view, || format!("Added the channel {name}. Test it: charon notify test {name}"))?;
        }
        Notify::Update { name, config, choice } => {
            let config = config.as_deref().map(read_object).transpose()?;
            let view = engine.update_channel(&name, config, chosen(choice)).await?;
            output
                .print(&view, || format!("Updated the channel {name}. Test it: charon notify test {name}"))?;
        }
        Notify::List => {
            let channels = engine.channels().await?;
            output.print(&channels, || match channels.as_slice() {
                [] => "Nobody is told yet. Add a channel: charon notify add NAME --kind KIND --config FILE"
                    .into(),
                channels => table(
                    ["NAME", "KIND", "PLANS", "EVENTS"],
                    channels
                        .iter()
                        .map(|view| [view.name.clone(), view.kind.clone(), plans(view), events(view)]),
                ),
            })?;
        }
        Notify::Show { name } => {
            let view = engine.channel(&name).await?;
            output.print(&view, || show(&view))?;
        }
        Notify::Test { name: Some(name), .. } => {
            engine.test_channel(&name).await?;
            output.print(&json!({ "delivered": true }), || format!("The channel {name} was told."))?;
        }
        Notify::Test { config: Some(config), kind: Some(kind), .. } => {
            engine.test_unsaved_channel(&kind, read_object(&config)?).await?;
            output.print(&json!({ "delivered": true }), || "It was told.".into())?;
        }
        Notify::Test { .. } => {
            return Err(Failure::usage("say of which kind the configuration is: --kind KIND"));
        }
        Notify::Sent { name, given_up, limit } => {
            let state = given_up.then_some(DeliveryState::GivenUp);
            let sent = engine.deliveries(name.as_deref(), state, limit).await?;
            output.print(&sent, || match sent.as_slice() {
                [] => "There is nothing that was told or is to be told.".into(),
                sent => table(
                    ["WHEN", "CHANNEL", "STATE", "TRIES", "TITLE", "ERROR"],
                    sent.iter().map(|one| {
                        [
                            one.enqueued_at.to_string(),
                            one.channel.clone(),
                            one.state.to_string(),
                            one.attempts.to_string(),
                            one.notice.title.clone(),
                            one.last_error.clone().unwrap_or_default(),
                        ]
                    }),
                ),
            })?;
        }
        Notify::Remove { name } => {
            engine.remove_channel(&name).await?;
            output.print(&json!({ "removed": name }), || format!("Removed the channel {name}."))?;
        }
    }
    Ok(Exit::Done)
}

fn chosen(choice: Choice) -> ChannelChoice {
    let Choice { events, plans, all_plans, in_a_row } = choice;
    let plans = (all_plans || !plans.is_empty()).then_some(plans);
    ChannelChoice { events: (!events.is_empty()).then_some(events), plans, in_a_row }
}

fn show(view: &ChannelView) -> String {
    let fields = view.config.iter().map(|(field, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        [field.clone(), value]
    });
    format!(
        "{} ({}): told of {}; plans: {}; failures in a row: {}\n{}",
        view.name,
        view.kind,
        events(view),
        plans(view),
        view.in_a_row,
        table(["FIELD", "VALUE"], fields)
    )
}

fn events(view: &ChannelView) -> String {
    view.events.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn plans(view: &ChannelView) -> String {
    view.plans.as_ref().map_or_else(|| "all".to_owned(), |plans| plans.join(", "))
}
