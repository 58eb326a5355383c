//! The parameters of a call as Google's front reads them: a JSON body of any content type, or the query when the body is
//! empty; camelCase or the proto's own names; `null` is absent (facts §2).

use serde_json::{Map, Value};

use crate::error::ApiError;

/// The parameters of one call, or one message in them.
#[derive(Debug, Default)]
pub(crate) struct Params {
    values: Map<String, Value>,
}

impl Params {
    /// From a body; the query stands in for an empty one. `known` are the fields of the message.
    pub(crate) fn of_body(
        body: &[u8],
        query: &[(String, String)],
        known: &[&str],
    ) -> Result<Params, ApiError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Params::of_query(query));
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))?;
        Params::of_value(value, known)
    }

    /// From a query; a name that comes twice is a list.
    pub(crate) fn of_query(query: &[(String, String)]) -> Params {
        let mut values = Map::new();
        for (name, text) in query {
            let text = Value::String(text.clone());
            match values.get_mut(name) {
                Some(Value::Array(list)) => list.push(text),
                Some(first) => *first = Value::Array(vec![first.take(), text]),
                None => {
                    values.insert(name.clone(), text);
                }
            }
        }
        Params { values }
    }

    fn of_value(value: Value, known: &[&str]) -> Result<Params, ApiError> {
        let Value::Object(values) = value else {
            return Err(ApiError::invalid("Invalid JSON payload received. Expected an object."));
        };
        if let Some(name) =
            values.keys().find(|name| !known.iter().any(|known| known == name || snake(known) == **name))
        {
            return Err(ApiError::invalid(format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
            )));
        }
        Ok(Params { values })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).or_else(|| self.values.get(&snake(name))).filter(|value| !value.is_null())
    }

    /// A string; absent is empty, as in proto3.
    pub(crate) fn text(&self, name: &str) -> Result<&str, ApiError> {
        match self.get(name) {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(wrong(name, "TYPE_STRING", other)),
        }
    }

    /// An int32: a number, or a string of digits.
    pub(crate) fn number(&self, name: &str) -> Result<i64, ApiError> {
        match self.get(name) {
            None => Ok(0),
            Some(value) => match value {
                Value::Number(number) => number.as_i64(),
                Value::String(text) if text.is_empty() => Some(0),
                Value::String(text) => text.parse().ok(),
                _ => None,
            }
            .ok_or_else(|| wrong(name, "TYPE_INT32", value)),
        }
    }

    /// A boolean, or its word.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
            Some(other) => Err(wrong(name, "TYPE_BOOL", other)),
        }
    }

    /// Repeated strings; a single one will do.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, ApiError> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(Value::Array(list)) => list
                .iter()
                .map(|value| {
                    value.as_str().map(str::to_owned).ok_or_else(|| wrong(name, "TYPE_STRING", value))
                })
                .collect(),
            Some(other) => Err(wrong(name, "TYPE_STRING", other)),
        }
    }

    /// A message.
    pub(crate) fn message(&self, name: &str, known: &[&str]) -> Result<Option<Params>, ApiError> {
        self.get(name).map(|value| Params::of_value(value.clone(), known)).transpose()
    }

    /// Repeated messages.
    pub(crate) fn messages(&self, name: &str, known: &[&str]) -> Result<Vec<Params>, ApiError> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                list.iter().map(|value| Params::of_value(value.clone(), known)).collect()
            }
            Some(other) => Err(wrong(name, "TYPE_MESSAGE", other)),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

fn wrong(name: &str, kind: &str, value: &Value) -> ApiError {
    ApiError::invalid(format!("Invalid value at '{}' ({kind}), {value}", snake(name)))
}

fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_absent_and_numbers_may_be_strings() {
        let body = br#"{"page_size":"7","pageToken":null}"#;
        let params = Params::of_body(body, &[], &["pageSize", "pageToken"]).unwrap();
        assert_eq!(params.number("pageSize").unwrap(), 7);
        assert_eq!(params.text("pageToken").unwrap(), "");
    }

    #[test]
    fn the_query_stands_in_for_an_empty_body() {
        let query = vec![("albumId".to_owned(), "a".to_owned())];
        assert_eq!(Params::of_body(b"", &query, &[]).unwrap().text("albumId").unwrap(), "a");
    }

    #[test]
    fn a_field_that_is_not_known_is_an_error() {
        let error = Params::of_body(br#"{"albumID":"a"}"#, &[], &["albumId"]).unwrap_err();
        assert_eq!(
            error.message,
            "Invalid JSON payload received. Unknown name \"albumID\": Cannot find field."
        );
    }
}
