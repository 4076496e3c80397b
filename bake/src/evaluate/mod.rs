//! Expressions to values.
//!
//! Evaluation is lazy: a variable, a function and an attribute of another block is looked up when an expression needs
//! it. What goes round in a circle is an error, and a [`Budget`] ends what would take for ever.

mod budget;
mod call;
mod collection;
mod operator;
mod scope;
mod template;

use std::collections::BTreeMap;

pub(crate) use budget::Budget;
pub(crate) use scope::Scope;

use crate::error::{Problem, Result};
use crate::syntax::{Condition, Expression, Kind, ObjectItem};
use crate::value::Value;
use crate::world::World;

impl World<'_> {
    /// The value of an expression.
    pub(crate) fn evaluate(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Value> {
        let _level = self.budget.enter(expression.place)?;
        match &expression.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Variable(name) => self.variable(name, expression.place, scope),
            Kind::Parenthesis(inner) => self.evaluate(inner, scope),
            Kind::List(values) => values
                .iter()
                .map(|value| self.evaluate(value, scope))
                .collect::<Result<Vec<_>>>()
                .map(Value::List),
            Kind::Object(items) => self.object(items, scope),
            Kind::Template(pieces) => self.template(pieces, expression.place, scope),
            Kind::Conditional(condition) => self.conditional(condition, scope),
            Kind::Call(call) => self.call(call, expression.place, scope),
            Kind::Traversal(root, steps) => self.traverse(root, steps, scope),
            Kind::Unary(operator, operand) => self.unary(*operator, operand, scope),
            Kind::Binary(one, operator, two) => self.binary(one, *operator, two, scope),
            Kind::For(each) => self.each(each, expression.place, scope),
        }
    }

    fn object(&self, items: &[ObjectItem], scope: &Scope<'_>) -> Result<Value> {
        let mut fields = BTreeMap::new();
        for item in items {
            let name = self.key(&item.key, scope)?;
            fields.insert(name, self.evaluate(&item.value, scope)?);
        }
        Ok(Value::Object(fields))
    }

    /// The name of a field.
    fn key(&self, key: &Expression, scope: &Scope<'_>) -> Result<String> {
        // A bare word is its own name; what is meant as a variable stands in parentheses.
        if let Kind::Variable(name) = &key.kind {
            return Ok(name.clone());
        }
        let value = self.evaluate(key, scope)?;
        value
            .text()
            .ok_or_else(|| Problem::at(key.place, format!("a name must be text, not {}", value.kind())))
    }

    fn conditional(&self, condition: &Condition, scope: &Scope<'_>) -> Result<Value> {
        let value = self.evaluate(&condition.condition, scope)?;
        match value.truth() {
            Some(true) => self.evaluate(&condition.yes, scope),
            Some(false) => self.evaluate(&condition.no, scope),
            None => Err(Problem::at(
                condition.condition.place,
                format!("a condition must be true or false, not {}", value.kind()),
            )),
        }
    }
}
