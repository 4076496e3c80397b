//! Values to JSON and back.

use serde_json::Value as Json;

use super::{Number, Value};

impl Value {
    /// As JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(Number::Whole(whole)) => match (i64::try_from(*whole), u64::try_from(*whole)) {
                (Ok(whole), _) => whole.into(),
                (_, Ok(whole)) => whole.into(),
                _ => (*whole as f64).into(),
            },
            Self::Number(Number::Real(real)) => (*real).into(),
            Self::String(text) => Json::String(text.clone()),
            Self::List(values) => values.iter().map(Self::to_json).collect(),
            Self::Object(fields) => {
                Json::Object(fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
            }
        }
    }

    /// From JSON.
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(
                Number::parse(&number.to_string())
                    .unwrap_or(Number::Real(number.as_f64().unwrap_or_default())),
            ),
            Json::String(text) => Self::String(text.clone()),
            Json::Array(values) => Self::List(values.iter().map(Self::from_json).collect()),
            Json::Object(fields) => Self::Object(
                fields.iter().map(|(name, value)| (name.clone(), Self::from_json(value))).collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_as_it_was() {
        let text = r#"{"a":[1,-2,1.5,18446744073709551615,"x",true,null],"b":{}}"#;
        let value = Value::from_json(&serde_json::from_str(text).unwrap());
        assert_eq!(value.to_json().to_string(), text);
    }
}
