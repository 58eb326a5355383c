//! Pictures of numbers: bars by day, as SVG in the page, with the same numbers in a table behind them.

use jiff::civil::Date;
use maud::{Markup, html};

use super::table::scrolling;

/// The picture, in units of its own; the page makes it as wide as there is room.
const WIDTH: usize = 720;
const HEIGHT: usize = 170;
/// Above and below the bars.
const TOP: usize = 22;
const BOTTOM: usize = 22;

/// What a picture shows.
pub(crate) struct Chart<'a> {
    /// Unique on its page.
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    /// What is counted: `items`.
    pub(crate) unit: &'a str,
    /// The days, the oldest first.
    pub(crate) days: &'a [(Date, u64)],
    /// What may not be gone beyond, if there is such a thing.
    pub(crate) limit: Option<u64>,
    /// A number in words.
    pub(crate) in_words: fn(u64) -> String,
}

impl Chart<'_> {
    pub(crate) fn draw(&self) -> Markup {
        let most = self.days.iter().map(|(_, value)| *value).max().unwrap_or_default();
        let (title_id, desc_id) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let sum: u64 = self.days.iter().map(|(_, value)| value).sum();
        html! {
            figure.chart {
                figcaption { (self.title) }
                @if sum == 0 {
                    p.soft { "Nothing in the last " (self.days.len()) " days." }
                } @else {
                    svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby={ (title_id) " " (desc_id) } {
                        title id=(title_id) { (self.title) }
                        desc id=(desc_id) { (self.described(most, sum)) }
                        (self.bars(most))
                    }
                    details {
                        summary { "The same in numbers" }
                        (scrolling(self.title, &self.table()))
                    }
                }
            }
        }
    }

    fn described(&self, most: u64, sum: u64) -> String {
        let busiest = self.days.iter().find(|(_, value)| *value == most).map(|(date, _)| day(*date));
        let limit = self
            .limit
            .map(|limit| format!(" The limit is {} a day.", (self.in_words)(limit)))
            .unwrap_or_default();
        format!(
            "One bar for each of {} days. {} in all; the most on one day were {}, on {}.{limit}",
            self.days.len(),
            (self.in_words)(sum),
            (self.in_words)(most),
            busiest.unwrap_or_default()
        )
    }

    fn bars(&self, most: u64) -> Markup {
        // A limit that is far above all bars would make them too small to be told apart.
        let limit = self.limit.filter(|limit| *limit <= most.saturating_mul(3));
        let top = limit.unwrap_or_default().max(most).max(1);
        let room = HEIGHT - TOP - BOTTOM;
        let step = WIDTH / self.days.len().max(1);
        let base = HEIGHT - BOTTOM;
        let height =
            |value: u64| usize::try_from(u128::from(value) * room as u128 / u128::from(top)).unwrap_or(room);
        html! {
            line.axis x1="0" x2=(WIDTH) y1=(base) y2=(base) {}
            @for (place, (date, value)) in self.days.iter().enumerate() {
                @if *value > 0 {
                    // One that is there is seen, however small.
                    @let tall = height(*value).max(2);
                    rect.bar x=(place * step + 1) y=(base - tall) width=(step.saturating_sub(2).max(1)) height=(tall) {
                        title { (day(*date)) ": " ((self.in_words)(*value)) }
                    }
                }
            }
            text.label x="0" y="14" { ((self.in_words)(top)) }
            @if let Some(limit) = limit {
                @let at = base - height(limit);
                line.limit x1="0" x2=(WIDTH) y1=(at) y2=(at) {}
            }
            @if let (Some((first, _)), Some((last, _))) = (self.days.first(), self.days.last()) {
                text.label x="0" y=(HEIGHT - 5) { (day(*first)) }
                text.label.end x=(WIDTH) y=(HEIGHT - 5) { (day(*last)) }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            table {
                thead { tr { th scope="col" { "Day" } th.number scope="col" { (self.unit) } } }
                tbody {
                    @for (date, value) in self.days.iter().rev().filter(|(_, value)| *value > 0) {
                        tr { th scope="row" { (day(*date)) } td.number { ((self.in_words)(*value)) } }
                    }
                }
            }
        }
    }
}

/// `28 Nov 2026`.
pub(crate) fn day(date: Date) -> String {
    date.strftime("%-d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::Chart;
    use crate::ui::words;

    #[test]
    fn each_day_has_its_bar_and_its_number_and_nothing_has_a_style_of_its_own() {
        let days = [(date(2026, 11, 26), 10), (date(2026, 11, 27), 0), (date(2026, 11, 28), 100_000)];
        let chart = |limit| {
            let in_words = |value| words::counted(value, "item", "items");
            Chart { id: "items", title: "Items", unit: "items", days: &days, limit, in_words }
                .draw()
                .into_string()
        };
        let drawn = chart(None);
        assert_eq!(drawn.matches("<rect").count(), 2);
        assert!(drawn.contains("aria-labelledby=\"items-title items-desc\""), "{drawn}");
        assert!(
            drawn.contains("100,010 items in all; the most on one day were 100,000 items, on 28 Nov 2026."),
            "{drawn}"
        );
        assert!(
            drawn.contains("<td class=\"number\">10 items</td>") && !drawn.contains("27 Nov 2026:"),
            "{drawn}"
        );
        assert!(!drawn.contains("style=") && !drawn.contains("class=\"limit\""), "{drawn}");
        assert!(chart(Some(120_000)).contains("class=\"limit\""));
        // A small bar is seen beside a large one.
        assert!(drawn.contains("height=\"2\""), "{drawn}");
    }

    #[test]
    fn where_there_is_nothing_that_is_said() {
        let days = [(date(2026, 11, 28), 0)];
        let drawn =
            Chart { id: "x", title: "X", unit: "x", days: &days, limit: None, in_words: |_| String::new() }
                .draw();
        assert!(drawn.into_string().contains("Nothing in the last 1 days."));
    }
}
