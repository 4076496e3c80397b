//! The part of a request behind the `?`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::refusal::Refusal;

/// The parameters of a request, decoded.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the `?`. A `+` is a `+`: media types have them, and nothing here has spaces.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8().map(Cow::into_owned);
            decoded.map_err(|_| Refusal::bad("UNSUPPORTED", "the parameters of the request are no UTF-8"))
        };
        let mut parameters = Vec::new();
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((decode(name)?, decode(value)?));
        }
        Ok(Self(parameters))
    }

    /// The first value of `name`.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All values of `name`, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// How many entries a list may have, where the request says.
    pub(crate) fn number(&self) -> Result<Option<usize>, Refusal> {
        let Some(text) = self.first("n") else { return Ok(None) };
        let refused = || Refusal::bad("PAGINATION_NUMBER_INVALID", "`n` must be a whole number, 0 or more");
        text.parse().map(Some).map_err(|_| refused())
    }
}
