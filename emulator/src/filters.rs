//! The filters of mediaItems:search: dates, media type, content, features, and what may be combined (facts §2).

use jiff::{Timestamp, tz::TimeZone};

use crate::{error::ApiError, params::Params, state::Item};

/// A date with wildcards: zero fits every value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaType {
    Photo,
    Video,
}

/// What a search asks for.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own about a search")]
pub(crate) struct Filters {
    dates: Vec<Date>,
    ranges: Vec<(Date, Date)>,
    media_type: Option<MediaType>,
    included: Vec<String>,
    excluded: Vec<String>,
    favorites: bool,
    /// Whether what the user archived is among it.
    archived: bool,
    /// Whether anything narrows the search: only then are new and future items missing.
    pub(crate) narrow: bool,
    /// Whether there is a date filter and nothing that forbids an order.
    pub(crate) may_order: bool,
}

const CATEGORIES: [&str; 27] = [
    "NONE",
    "LANDSCAPES",
    "RECEIPTS",
    "CITYSCAPES",
    "LANDMARKS",
    "SELFIES",
    "PEOPLE",
    "PETS",
    "WEDDINGS",
    "BIRTHDAYS",
    "DOCUMENTS",
    "TRAVEL",
    "ANIMALS",
    "FOOD",
    "SPORT",
    "NIGHT",
    "PERFORMANCES",
    "WHITEBOARDS",
    "SCREENSHOTS",
    "UTILITY",
    "ARTS",
    "CRAFTS",
    "FASHION",
    "HOUSES",
    "GARDENS",
    "FLOWERS",
    "HOLIDAYS",
];

impl Filters {
    /// No filter at all.
    pub(crate) fn everything(archived: bool) -> Filters {
        Filters { archived, ..Filters::default() }
    }

    /// The filters of a search. `archived` is whether a search without any finds what was archived.
    pub(crate) fn of(params: &Params, archived: bool) -> Result<Filters, ApiError> {
        let known = [
            "dateFilter",
            "contentFilter",
            "mediaTypeFilter",
            "featureFilter",
            "includeArchivedMedia",
            "excludeNonAppCreatedData",
        ];
        let Some(filters) = params.message("filters", &known)? else {
            return Ok(Filters::everything(archived));
        };
        let mut out = Filters::everything(filters.flag("includeArchivedMedia")?);
        filters.flag("excludeNonAppCreatedData")?;
        if let Some(date) = filters.message("dateFilter", &["dates", "ranges"])? {
            out.dates = dates(&date)?;
            out.ranges = ranges(&date)?;
            out.narrow = true;
            out.may_order = true;
        }
        if let Some(content) =
            filters.message("contentFilter", &["includedContentCategories", "excludedContentCategories"])?
        {
            out.included = categories(&content, "includedContentCategories")?;
            out.excluded = categories(&content, "excludedContentCategories")?;
            if out.included.iter().any(|category| out.excluded.contains(category)) {
                return Err(ApiError::invalid("A content category cannot be both included and excluded."));
            }
            out.narrow = true;
            out.may_order = false;
        }
        if let Some(media) = filters.message("mediaTypeFilter", &["mediaTypes"])? {
            let types = media.texts("mediaTypes")?;
            out.media_type = match types.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["ALL_MEDIA"] => None,
                ["PHOTO"] => Some(MediaType::Photo),
                ["VIDEO"] => Some(MediaType::Video),
                [_] => return Err(ApiError::invalid("Invalid media type.")),
                _ => return Err(ApiError::invalid("Exactly one media type must be specified.")),
            };
            out.narrow = true;
            out.may_order = false;
        }
        if let Some(feature) = filters.message("featureFilter", &["includedFeatures"])? {
            out.favorites = feature.texts("includedFeatures")?.iter().any(|feature| feature == "FAVORITES");
            out.narrow |= out.favorites;
            out.may_order = false;
        }
        Ok(out)
    }

    /// Whether an item passes. `settled` is how long an item must have existed to be found by a filter.
    pub(crate) fn pass(&self, item: &Item, now: Timestamp, settled_seconds: u64) -> bool {
        if item.archived && !self.archived {
            return false;
        }
        if !self.narrow {
            return true;
        }
        let age = now.duration_since(item.created_at).as_secs();
        if item.taken_at > now || age < i64::try_from(settled_seconds).unwrap_or(i64::MAX) {
            return false;
        }
        let type_fits = match self.media_type {
            None => true,
            Some(MediaType::Video) => item.is_video(),
            Some(MediaType::Photo) => !item.is_video(),
        };
        // Nobody looks at the pictures here: every item is in the one category that its id chooses.
        let bytes = item.id.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let category = CATEGORIES[1 + bytes % (CATEGORIES.len() - 1)];
        let among = |list: &[String]| list.iter().any(|name| name == category);
        let content_fits = (self.included.is_empty() || among(&self.included)) && !among(&self.excluded);
        type_fits && content_fits && (!self.favorites || item.favorite) && self.date_fits(item.taken_at)
    }

    fn date_fits(&self, at: Timestamp) -> bool {
        if self.dates.is_empty() && self.ranges.is_empty() {
            return true;
        }
        let civil = at.to_zoned(TimeZone::UTC).date();
        let (year, month, day) = (i64::from(civil.year()), i64::from(civil.month()), i64::from(civil.day()));
        let fits = |wanted: i64, value: i64| wanted == 0 || wanted == value;
        let one = |date: &Date| fits(date.year, year) && fits(date.month, month) && fits(date.day, day);
        let range = |(start, end): &(Date, Date)| {
            // A wildcard in the start is the earliest that fits, in the end the latest.
            let low = Date { year: start.year, month: start.month.max(1), day: start.day.max(1) };
            let high = Date { year: end.year, month: last(end.month, 12), day: last(end.day, 31) };
            (low..=high).contains(&Date { year, month, day })
        };
        self.dates.iter().any(one) || self.ranges.iter().any(range)
    }
}

fn last(value: i64, most: i64) -> i64 {
    if value == 0 { most } else { value }
}

fn categories(params: &Params, name: &str) -> Result<Vec<String>, ApiError> {
    let mut list = params.texts(name)?;
    if list.len() > 10 {
        return Err(ApiError::invalid("At most 10 content categories may be specified."));
    }
    if let Some(unknown) = list.iter().find(|category| !CATEGORIES.contains(&category.as_str())) {
        return Err(ApiError::invalid(format!("Invalid content category: {unknown}")));
    }
    list.retain(|category| category != "NONE");
    Ok(list)
}

fn date(params: &Params) -> Result<Date, ApiError> {
    let date =
        Date { year: params.number("year")?, month: params.number("month")?, day: params.number("day")? };
    let in_range =
        (0..=9999).contains(&date.year) && (0..=12).contains(&date.month) && (0..=31).contains(&date.day);
    // Unsupported: all zero, only the month zero, or day and year both zero.
    let supported = match (date.year, date.month, date.day) {
        (0, _, 0) => false,
        (_, 0, day) => day == 0,
        _ => true,
    };
    if in_range && supported { Ok(date) } else { Err(ApiError::invalid("Invalid date in the date filter.")) }
}

const DATE: [&str; 3] = ["year", "month", "day"];

fn dates(params: &Params) -> Result<Vec<Date>, ApiError> {
    let list = params.messages("dates", &DATE)?;
    if list.len() > 5 {
        return Err(ApiError::invalid("At most 5 dates may be specified."));
    }
    list.iter().map(date).collect()
}

fn ranges(params: &Params) -> Result<Vec<(Date, Date)>, ApiError> {
    let list = params.messages("ranges", &["startDate", "endDate"])?;
    if list.len() > 5 {
        return Err(ApiError::invalid("At most 5 date ranges may be specified."));
    }
    let format = |date: &Date| (date.year == 0, date.month == 0, date.day == 0);
    list.iter()
        .map(|range| {
            let start = range.message("startDate", &DATE)?.as_ref().map(date).transpose()?;
            let end = range.message("endDate", &DATE)?.as_ref().map(date).transpose()?;
            match (start, end) {
                (Some(start), Some(end)) if format(&start) == format(&end) => Ok((start, end)),
                _ => Err(ApiError::invalid(
                    "A date range needs a start date and an end date in the same format.",
                )),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Filters, ApiError> {
        let params = Params::of_body(json.as_bytes(), &[], &["filters"]).unwrap();
        Filters::of(&params, true)
    }

    fn of_dates(json: &str) -> Result<Filters, ApiError> {
        parse(&format!(r#"{{"filters":{{"dateFilter":{json}}}}}"#))
    }

    #[test]
    fn dates_have_the_documented_wildcards() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let leap = at("2020-02-29T12:00:00Z");
        let fits = |json: &str| of_dates(json).unwrap().date_fits(leap);
        assert!(fits(r#"{"dates":[{"year":2020}]}"#));
        assert!(fits(r#"{"dates":[{"year":2020,"month":2}]}"#));
        assert!(fits(r#"{"dates":[{"month":2,"day":29}]}"#));
        assert!(!fits(r#"{"dates":[{"year":2020,"month":3}]}"#));
        let range = r#"{"ranges":[{"startDate":{"year":1900,"month":1,"day":1},"endDate":{"year":3000,"month":1,"day":1}}]}"#;
        assert!(fits(range));
        let months =
            r#"{"ranges":[{"startDate":{"year":2020,"month":1},"endDate":{"year":2020,"month":2}}]}"#;
        assert!(fits(months));
    }

    #[test]
    fn unsupported_dates_are_refused() {
        for bad in [
            "{}",
            r#"{"month":2}"#,
            r#"{"year":2020,"day":3}"#,
            r#"{"day":3}"#,
            r#"{"year":2020,"month":13}"#,
        ] {
            let json = format!(r#"{{"dates":[{bad}]}}"#);
            assert!(of_dates(&json).is_err(), "{bad}");
        }
        let six = [r#"{"year":2020}"#; 6].join(",");
        assert!(of_dates(&format!(r#"{{"dates":[{six}]}}"#)).is_err());
    }
}
