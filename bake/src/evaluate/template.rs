//! Text with `${…}` and `%{…}` in it.

use super::Scope;
use super::collection::elements;
use crate::error::{Problem, Result};
use crate::source::Place;
use crate::syntax::{Expression, Piece};
use crate::value::Value;
use crate::world::World;

impl World<'_> {
    pub(super) fn template(&self, pieces: &[Piece], place: Place, scope: &Scope<'_>) -> Result<Value> {
        // A template that is nothing but one value is that value, whatever it is.
        if let [Piece::Value(only)] = pieces {
            return self.evaluate(only, scope);
        }
        let mut text = String::new();
        self.write(&mut text, pieces, place, scope)?;
        self.budget.spend(text.len(), place)?;
        Ok(Value::String(text))
    }

    fn write(&self, text: &mut String, pieces: &[Piece], place: Place, scope: &Scope<'_>) -> Result<()> {
        for piece in pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Value(expression) => text.push_str(&self.part(expression, scope)?),
                Piece::If(condition, yes, no) => {
                    let value = self.evaluate(condition, scope)?;
                    let chosen = value.truth().ok_or_else(|| {
                        let message = format!("a condition must be true or false, not {}", value.kind());
                        Problem::at(condition.place, message)
                    })?;
                    self.write(text, if chosen { yes } else { no }, place, scope)?;
                }
                Piece::For { key_name, value_name, collection, pieces } => {
                    let all = self.evaluate(collection, scope)?;
                    for (key, value) in elements(&all, collection.place)? {
                        let _level = self.budget.enter(place)?;
                        let mut names = vec![(value_name.as_str(), value)];
                        names.extend(key_name.as_deref().map(|name| (name, key)));
                        self.write(text, pieces, place, &scope.with(names))?;
                        self.budget.spend(text.len() / 16, place)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn part(&self, expression: &Expression, scope: &Scope<'_>) -> Result<String> {
        let value = self.evaluate(expression, scope)?;
        value.text().ok_or_else(|| {
            let problem = Problem::at(expression.place, format!("{} cannot be part of a text", value.kind()));
            match value {
                Value::List(_) => problem.help("`join(\",\", …)` makes text of a list"),
                Value::Object(_) => problem.help("`jsonencode(…)` makes text of an object"),
                _ => problem,
            }
        })
    }
}
