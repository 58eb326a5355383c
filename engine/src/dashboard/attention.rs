//! What calls for somebody, and what cures it. Concluded from facts alone.

use charon_provider::Class;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    facts::PlanFacts,
    words::{ago, ended, span},
};
use crate::{
    brief::in_brief,
    ids::{ChannelId, PlanId, RunId, StorageId},
    numbers::with_commas,
    run::RunState,
};

/// Something that calls for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attention {
    /// Whether nothing gets on until it is cured.
    pub is_urgent: bool,
    /// What it is, in a few words.
    pub title: String,
    /// What happened, why, and what to do.
    pub text: String,
    /// What cures it.
    pub cure: Cure,
}

/// What cures something: what a button does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Cure {
    /// Give the consent of a storage anew.
    Reconnect {
        /// The storage.
        storage: StorageId,
    },
    /// Let a run go on.
    ResumeRun {
        /// The run.
        run: RunId,
    },
    /// Try again what failed in a run.
    RetryFailed {
        /// The run.
        run: RunId,
    },
    /// Run a plan now.
    RunNow {
        /// The plan.
        plan: PlanId,
    },
    /// Let a plan be due again.
    ResumePlan {
        /// The plan.
        plan: PlanId,
    },
    /// Look at a channel, and try it.
    TestChannel {
        /// The channel.
        channel: ChannelId,
    },
    /// Say whether what is gone from the account may go to the trash of a mirror.
    AnswerDeletion {
        /// The plan.
        plan: PlanId,
    },
    /// Fetch again what is damaged in a mirror: a run of its plan does.
    Repair {
        /// The plan.
        plan: PlanId,
    },
    /// Make a first plan.
    AddPlan,
    /// Look at what was handed over to a storage.
    LookAtInbox {
        /// The storage.
        storage: StorageId,
    },
    /// Look at the log of the program.
    LookAtLog,
}

/// A channel whose last notice did not get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeafChannel {
    pub(crate) id: ChannelId,
    pub(crate) name: String,
    pub(crate) error: String,
    /// Whether it is tried again.
    pub(crate) is_tried_again: bool,
}

/// Files that programs handed over lately and that a storage did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotTakenLately {
    pub(crate) storage_id: StorageId,
    pub(crate) storage: String,
    pub(crate) files: u64,
    /// The name of the last of them.
    pub(crate) last: String,
    /// Why it was not taken.
    pub(crate) reason: String,
}

/// What calls for somebody, the urgent first. `inboxes` are the plans that send what inboxes hold.
pub(crate) fn of(
    plans: &[PlanFacts],
    (inboxes, not_taken): (&[PlanFacts], &[NotTakenLately]),
    channels: &[DeafChannel],
    unwell: Option<&str>,
    now: Timestamp,
) -> Vec<Attention> {
    let mut all = Vec::new();
    if let Some(why) = unwell {
        all.push(Attention {
            is_urgent: true,
            title: "Charon itself is not well".into(),
            text: format!("{why}."),
            cure: Cure::LookAtLog,
        });
    }
    all.extend(dead_consents(plans.iter().chain(inboxes)));
    all.extend(plans.iter().chain(inboxes).flat_map(|plan| of_plan(plan, now)));
    all.extend(not_taken.iter().map(of_not_taken));
    all.extend(channels.iter().map(of_channel));
    if plans.is_empty() {
        all.push(Attention {
            is_urgent: false,
            title: "There is no plan yet".into(),
            text: "A backup plan brings the photos of a storage home, an upload plan sends folders to it."
                .into(),
            cure: Cure::AddPlan,
        });
    }
    all.sort_by_key(|attention| !attention.is_urgent);
    all
}

/// A storage whose consent is dead is one thing to cure, however many plans wait for it.
fn dead_consents<'a>(plans: impl Iterator<Item = &'a PlanFacts>) -> Vec<Attention> {
    let mut storages: Vec<(&PlanFacts, &str, Vec<&str>)> = Vec::new();
    for plan in plans {
        let Some(why) = waits_for_consent(plan) else { continue };
        match storages.iter_mut().find(|(other, ..)| other.storage_id == plan.storage_id) {
            Some((_, _, waiting)) => waiting.push(&plan.name),
            None => storages.push((plan, why, vec![&plan.name])),
        }
    }
    let attention = |(plan, why, waiting): (&PlanFacts, &str, Vec<&str>)| Attention {
        is_urgent: true,
        title: format!("The storage {} does not let Charon in", plan.storage),
        text: format!(
            "{} Connect it again; {} {} on then.",
            ended(&in_brief(why)),
            waiting.join(", "),
            if waiting.len() == 1 { "goes" } else { "go" }
        ),
        cure: Cure::Reconnect { storage: plan.storage_id },
    };
    storages.into_iter().map(attention).collect()
}

/// Why the account has to be connected again, if a run of the plan waits for that.
fn waits_for_consent(plan: &PlanFacts) -> Option<&str> {
    let live = plan.live.as_ref().filter(|live| live.needs_person && live.class == Some(Class::Auth))?;
    let why = live.waiting.as_deref().unwrap_or("the account has to be connected again");
    Some(why.strip_prefix("you: ").unwrap_or(why))
}

fn of_plan(plan: &PlanFacts, now: Timestamp) -> Vec<Attention> {
    let name = &plan.name;
    let mut all = Vec::new();
    let is_stuck = plan.live.as_ref().filter(|live| live.needs_person);
    if let Some(live) = is_stuck.filter(|_| waits_for_consent(plan).is_none()) {
        let why = live.waiting.as_deref().unwrap_or("a person is needed");
        let why = why.strip_prefix("you: ").unwrap_or(why);
        let is_paused = live.state == RunState::Paused;
        all.push(Attention {
            is_urgent: !is_paused,
            title: if is_paused {
                format!("A run of {name} is paused")
            } else {
                format!("A run of {name} waits for you")
            },
            text: ended(&in_brief(why)),
            cure: Cure::ResumeRun { run: live.run },
        });
    }
    if let (Some(whole), None) = (&plan.whole, &plan.live)
        && whole.failed > 0
    {
        let why = whole.cause.as_ref().map(|cause| format!(", mostly: {cause}")).unwrap_or_default();
        let (count, are) = (with_commas(whole.failed), if whole.failed == 1 { "item" } else { "items" });
        all.push(Attention {
            is_urgent: false,
            title: format!("{count} {are} of {name} failed"),
            text: format!(
                "In the run that ended {}{why}. The next run tries them again; you can do it now.",
                ago(whole.ended_at, now)
            ),
            cure: Cure::RetryFailed { run: whole.failed_in },
        });
    }
    all.extend(of_mirror(plan));
    let end = plan.last_end.as_ref().filter(|end| end.state == RunState::Failed && plan.live.is_none());
    // One that stopped to ask is told with its question.
    if let Some(end) = end.filter(|end| plan.asked_about == 0 || end.class != Some(Class::Config)) {
        let title = match end.class {
            Some(Class::Destination) => format!("The destination of {name} takes nothing"),
            Some(Class::Config) => format!("The plan {name} cannot run as it is"),
            _ => format!("The last run of {name} failed"),
        };
        all.push(Attention {
            is_urgent: true,
            title,
            text: format!("{} ({}).", end.message.trim_end_matches('.'), ago(end.ended_at, now)),
            cure: Cure::RunNow { plan: plan.plan },
        });
    }
    if let Some(since) = plan.overdue_since.filter(|_| is_stuck.is_none() && end.is_none()) {
        all.push(Attention {
            is_urgent: true,
            title: format!("The plan {name} is overdue"),
            text: format!("There has been no good run for {}.", span(now.duration_since(since))),
            cure: Cure::RunNow { plan: plan.plan },
        });
    }
    if plan.is_paused {
        let until = plan.paused_until.map_or("until somebody resumes it".to_owned(), |at| {
            format!("for another {}", span(at.duration_since(now)))
        });
        all.push(Attention {
            is_urgent: false,
            title: format!("The plan {name} is paused"),
            text: format!("It is not due {until}."),
            cure: Cure::ResumePlan { plan: plan.plan },
        });
    }
    all
}

/// What a mirror itself calls for.
fn of_mirror(plan: &PlanFacts) -> Vec<Attention> {
    let PlanFacts { name, plan: id, damaged, asked_about, .. } = plan;
    let mut all = Vec::new();
    if *asked_about > 0 {
        let (items, they) = match asked_about {
            1 => ("1 item".to_owned(), "it"),
            many => (format!("{} items", with_commas(*many)), "they"),
        };
        all.push(Attention {
            is_urgent: true,
            title: format!("{items} of {name}: gone from the account"),
            text: format!(
                "That is more than goes to the trash without a question, and nothing of it was moved. Say whether {they} may go."
            ),
            cure: Cure::AnswerDeletion { plan: *id },
        });
    }
    if *damaged > 0 {
        let title = match damaged {
            1 => format!("1 file of {name} is damaged"),
            many => format!("{} files of {name} are damaged", with_commas(*many)),
        };
        all.push(Attention {
            is_urgent: false,
            title,
            text: "A verification found what is missing, changed or unreadable in the mirror. The next run fetches again what the \
                   account still holds; you can do it now."
                .into(),
            cure: Cure::Repair { plan: *id },
        });
    }
    all
}

fn of_not_taken(refused: &NotTakenLately) -> Attention {
    let NotTakenLately { storage_id, storage, files, last, reason } = refused;
    let reason = reason.trim_end_matches('.');
    let (title, text) = if *files == 1 {
        (format!("{storage} did not take a file that was handed over"), format!("{last}: {reason}."))
    } else {
        let files = with_commas(*files);
        let title = format!("{storage} did not take {files} files that were handed over");
        (title, format!("The last of them, {last}: {reason}."))
    };
    let text = format!("{text} What is not taken is not kept here: hand over another file.");
    Attention { is_urgent: false, title, text, cure: Cure::LookAtInbox { storage: *storage_id } }
}

fn of_channel(channel: &DeafChannel) -> Attention {
    let again = if channel.is_tried_again { "it is tried again" } else { "it was given up" };
    Attention {
        is_urgent: false,
        title: format!("The channel {} does not get through", channel.name),
        text: format!("The last notice failed, and {again}: {}.", channel.error.trim_end_matches('.')),
        cure: Cure::TestChannel { channel: channel.id },
    }
}

#[cfg(test)]
mod tests {
    use charon_provider::Class;
    use jiff::{SignedDuration, Timestamp};
    use uuid::Uuid;

    use super::{Cure, DeafChannel, NotTakenLately, of};
    use crate::{
        dashboard::facts::{EndedBadly, Live, PlanFacts, Whole},
        ids::{ChannelId, PlanId, RunId, StorageId},
        run::RunState,
    };

    const RUN: RunId = RunId(Uuid::from_u128(7));
    const PLAN: PlanId = PlanId(Uuid::from_u128(8));

    fn plan(name: &str) -> PlanFacts {
        PlanFacts {
            plan: PLAN,
            name: name.into(),
            kind: "backup",
            storage: "family".into(),
            storage_id: StorageId(Uuid::from_u128(6)),
            provider: "Google Photos".into(),
            has_schedule: true,
            next_at: None,
            is_paused: false,
            paused_until: None,
            last_good_at: None,
            overdue_since: None,
            whole: None,
            last_end: None,
            live: None,
            home: None,
            damaged: 0,
            asked_about: 0,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in a field that need not have any")]
    fn waiting(class: Option<Class>, state: RunState, why: &str) -> Option<Live> {
        Some(Live {
            run: RUN,
            state,
            safe: 0,
            waiting: Some(format!("you: {why}")),
            until: None,
            needs_person: true,
            class,
        })
    }

    #[test]
    fn each_thing_that_calls_for_somebody_has_its_cure() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(100);
        let whole = Whole {
            run: RUN,
            failed_in: RUN,
            ended_at: now - SignedDuration::from_hours(3),
            shown: 9,
            safe: 7,
            left_out: 0,
            processed: 0,
            failed: 2,
            cause: Some("404".into()),
        };
        let ended = |class| {
            Some(EndedBadly {
                run: RUN,
                state: RunState::Failed,
                ended_at: now,
                class,
                message: "no disk".into(),
            })
        };
        let consent = waiting(Some(Class::Auth), RunState::Parked, "the token was revoked");
        let plans = [
            PlanFacts { live: consent.clone(), ..plan("a") },
            PlanFacts { live: consent, overdue_since: Some(Timestamp::UNIX_EPOCH), ..plan("b") },
            PlanFacts { live: waiting(None, RunState::Parked, "a look"), ..plan("c") },
            PlanFacts { live: waiting(None, RunState::Paused, "resume it"), ..plan("d") },
            PlanFacts { whole: Some(whole.clone()), is_paused: true, ..plan("e") },
            PlanFacts { last_end: ended(Some(Class::Destination)), ..plan("f") },
            PlanFacts { overdue_since: Some(Timestamp::UNIX_EPOCH), ..plan("g") },
            PlanFacts { damaged: 1, ..plan("i") },
            // It stopped to ask, and that is told once.
            PlanFacts { asked_about: 1_200, last_end: ended(Some(Class::Config)), ..plan("j") },
            // It is at work on it.
            PlanFacts { whole: Some(whole), live: waiting(None, RunState::Paused, "it"), ..plan("h") },
            plan("well"),
        ];
        let channel = DeafChannel {
            id: ChannelId(Uuid::from_u128(9)),
            name: "hook".into(),
            error: "connection refused".into(),
            is_tried_again: false,
        };
        let inboxes = [
            PlanFacts { live: waiting(Some(Class::Auth), RunState::Parked, "it"), ..plan("inbox of family") },
            PlanFacts { live: waiting(None, RunState::Parked, "it"), ..plan("inbox of other") },
        ];
        let not_taken = NotTakenLately {
            storage_id: StorageId(Uuid::from_u128(6)),
            storage: "family".into(),
            files: 2,
            last: "a.jpg".into(),
            reason: "it is no picture.".into(),
        };
        let all = of(&plans, (&inboxes, &[not_taken]), &[channel], Some("no scheduler is at work"), now);
        let told: Vec<(bool, &str, &Cure)> =
            all.iter().map(|one| (one.is_urgent, one.title.as_str(), &one.cure)).collect();
        let channel = Cure::TestChannel { channel: ChannelId(Uuid::from_u128(9)) };
        assert_eq!(
            told,
            [
                (true, "Charon itself is not well", &Cure::LookAtLog),
                (
                    true,
                    "The storage family does not let Charon in",
                    &Cure::Reconnect { storage: StorageId(Uuid::from_u128(6)) }
                ),
                (true, "A run of c waits for you", &Cure::ResumeRun { run: RUN }),
                (true, "The destination of f takes nothing", &Cure::RunNow { plan: PLAN }),
                (true, "The plan g is overdue", &Cure::RunNow { plan: PLAN }),
                (true, "1,200 items of j: gone from the account", &Cure::AnswerDeletion { plan: PLAN }),
                (true, "A run of inbox of other waits for you", &Cure::ResumeRun { run: RUN }),
                (false, "A run of d is paused", &Cure::ResumeRun { run: RUN }),
                (false, "2 items of e failed", &Cure::RetryFailed { run: RUN }),
                (false, "The plan e is paused", &Cure::ResumePlan { plan: PLAN }),
                (false, "1 file of i is damaged", &Cure::Repair { plan: PLAN }),
                (false, "A run of h is paused", &Cure::ResumeRun { run: RUN }),
                (
                    false,
                    "family did not take 2 files that were handed over",
                    &Cure::LookAtInbox { storage: StorageId(Uuid::from_u128(6)) }
                ),
                (false, "The channel hook does not get through", &channel),
            ]
        );
        assert_eq!(all[1].text, "the token was revoked. Connect it again; a, b, inbox of family go on then.");
        assert_eq!(
            all[8].text,
            "In the run that ended 3 h ago, mostly: 404. The next run tries them again; you can do it now."
        );
        assert_eq!(of(&[plan("well")], (&[plan("inbox")], &[]), &[], None, now), []);
        assert_eq!(of(&[], (&[plan("inbox")], &[]), &[], None, now)[0].cure, Cure::AddPlan);
    }
}
