//! Reading the fields of a JSON object by hand: each error names the field and says what it may be,
//! and none repeats a value, which may be a password.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::{net::ApiError, store::catalog::MAX_TEXT};

/// What an object says of a field. Leaving it out and setting it to null are two things (RFC 7396).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given<T> {
    /// Not there.
    Absent,
    /// Back to the default.
    Null,
    /// This.
    Is(T),
}

impl<T> Given<T> {
    /// `before` if it is not there, the default if it is null.
    pub fn or(self, before: T, default: T) -> T {
        match self {
            Self::Absent => before,
            Self::Null => default,
            Self::Is(value) => value,
        }
    }

    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        if let Self::Is(value) = self { Some(value) } else { None }
    }
}

/// An object, and what its fields are called in errors.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    prefix: &'static str,
}

pub(super) fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new("bad_request", message)
}

impl<'a> Fields<'a> {
    /// Refuses fields that are not in `known`: a misspelt one would be without effect.
    pub fn new(
        map: &'a Map<String, Value>,
        prefix: &'static str,
        known: &[&str],
    ) -> Result<Self, ApiError> {
        match map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(Self { map, prefix }),
            Some(key) => {
                let key: String = key.chars().take(40).collect();
                let known = known.join(", ");
                Err(bad(format!("{prefix}{key} cannot be set; what can be set here: {known}")))
            }
        }
    }

    /// As [`Self::new`], fields that are not known being ignored.
    pub fn lenient(map: &'a Map<String, Value>) -> Self {
        Self { map, prefix: "" }
    }

    fn get<T>(
        &self,
        name: &str,
        may_be: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Given<T>, ApiError> {
        match self.map.get(name) {
            None => Ok(Given::Absent),
            Some(Value::Null) => Ok(Given::Null),
            Some(value) => match read(value) {
                Some(value) => Ok(Given::Is(value)),
                None => Err(bad(format!("{}{name} must be {may_be}", self.prefix))),
            },
        }
    }

    /// Any text.
    pub fn text(&self, name: &str) -> Result<Given<&'a str>, ApiError> {
        self.get(name, "a text", Value::as_str)
    }

    /// One line for people, trimmed; an empty one is null.
    pub fn line(&self, name: &str) -> Result<Given<String>, ApiError> {
        let may_be = format!("a text of at most {MAX_TEXT} characters on one line");
        let given = self.get(name, &may_be, |value| {
            let text = value.as_str()?.trim();
            let good = text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control);
            good.then(|| text.to_owned())
        })?;
        Ok(if given == Given::Is(String::new()) { Given::Null } else { given })
    }

    /// A camera's id: text, or a whole number as older systems have it.
    pub fn id(&self, name: &str) -> Result<Option<String>, ApiError> {
        let given = self.get(name, "a text such as \"door\"", |value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => number.as_u64().map(|number| number.to_string()),
            _ => None,
        })?;
        Ok(given.value())
    }

    pub fn boolean(&self, name: &str) -> Result<Given<bool>, ApiError> {
        self.get(name, "true or false", Value::as_bool)
    }

    pub fn integer(&self, name: &str, range: RangeInclusive<u32>) -> Result<Given<u32>, ApiError> {
        let may_be = format!("a whole number from {} to {}", range.start(), range.end());
        self.get(name, &may_be, |value| {
            value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n))
        })
    }

    pub fn number(&self, name: &str, range: RangeInclusive<f64>) -> Result<Given<f64>, ApiError> {
        let may_be = format!("a number from {} to {}", range.start(), range.end());
        self.get(name, &may_be, |value| value.as_f64().filter(|n| range.contains(n)))
    }

    /// One of some words.
    pub fn word<T>(
        &self,
        name: &str,
        words: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Given<T>, ApiError> {
        self.get(name, words, |value| read(value.as_str()?))
    }

    pub fn object(&self, name: &str) -> Result<Given<&'a Map<String, Value>>, ApiError> {
        self.get(name, "an object", Value::as_object)
    }
}
