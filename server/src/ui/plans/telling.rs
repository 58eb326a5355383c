//! Who is told of a plan.

use charon_engine::{ChannelView, Error};
use maud::{Markup, html};

use crate::{app::App, ui::failing::Failing};

/// The channels that are told of a plan; of one that has no name yet, those that are told of all. `None` where that is not known,
/// since the key does not open them.
pub(super) async fn channels_of(app: &App, plan: Option<&str>) -> Result<Option<Vec<ChannelView>>, Failing> {
    let mut channels = match app.engine().channels().await {
        Ok(channels) => channels,
        Err(Error::Vault(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    channels.retain(|channel| {
        let of = |plans: &Vec<String>| plan.is_some_and(|name| plans.iter().any(|known| known == name));
        channel.plans.as_ref().is_none_or(of)
    });
    Ok(Some(channels))
}

/// Their names, each of which leads to what it is told, in a tab of its own.
pub(super) fn names(channels: Option<&[ChannelView]>) -> Markup {
    html! {
        @match channels {
            None => "not known, since the key does not open the channels",
            Some([]) => "nobody yet",
            Some(channels) => {
                @for (place, channel) in channels.iter().enumerate() {
                    @if place > 0 { ", " }
                    a href={ "/settings/notifications/" (channel.id) } target="_blank" { (channel.name) }
                }
            },
        }
    }
}
