//! `+ - * / %`, comparisons, `&& || !`.

use super::Scope;
use crate::error::{Problem, Result};
use crate::syntax::{Binary, Expression, Unary};
use crate::value::{Number, Value};
use crate::world::World;

impl World<'_> {
    pub(super) fn unary(&self, operator: Unary, operand: &Expression, scope: &Scope<'_>) -> Result<Value> {
        match operator {
            Unary::Not => Ok(Value::Bool(!self.truth(operand, scope)?)),
            Unary::Neg => {
                let number = self.number(operand, scope)?;
                number.negate().map(Value::Number).ok_or_else(|| too_large(operand))
            }
        }
    }

    pub(super) fn binary(
        &self,
        one: &Expression,
        operator: Binary,
        two: &Expression,
        scope: &Scope<'_>,
    ) -> Result<Value> {
        let compare = |test: fn(&Number, &Number) -> bool| -> Result<Value> {
            Ok(Value::Bool(test(&self.number(one, scope)?, &self.number(two, scope)?)))
        };
        let compute = |work: fn(Number, Number) -> Option<Number>| -> Result<Value> {
            let result = work(self.number(one, scope)?, self.number(two, scope)?);
            result.map(Value::Number).ok_or_else(|| match operator {
                Binary::Div | Binary::Mod => Problem::at(two.place, "a division by zero"),
                _ => too_large(one),
            })
        };
        match operator {
            Binary::And => Ok(Value::Bool(self.truth(one, scope)? && self.truth(two, scope)?)),
            Binary::Or => Ok(Value::Bool(self.truth(one, scope)? || self.truth(two, scope)?)),
            Binary::Eq => Ok(Value::Bool(self.evaluate(one, scope)? == self.evaluate(two, scope)?)),
            Binary::NotEq => Ok(Value::Bool(self.evaluate(one, scope)? != self.evaluate(two, scope)?)),
            Binary::Less => compare(|one, two| one < two),
            Binary::LessEq => compare(|one, two| one <= two),
            Binary::Greater => compare(|one, two| one > two),
            Binary::GreaterEq => compare(|one, two| one >= two),
            Binary::Plus => compute(Number::add),
            Binary::Minus => compute(Number::subtract),
            Binary::Mul => compute(Number::multiply),
            Binary::Div => compute(Number::divide),
            Binary::Mod => compute(Number::modulo),
        }
    }

    fn truth(&self, operand: &Expression, scope: &Scope<'_>) -> Result<bool> {
        let value = self.evaluate(operand, scope)?;
        value.truth().ok_or_else(|| wanted("true or false", operand, &value))
    }

    fn number(&self, operand: &Expression, scope: &Scope<'_>) -> Result<Number> {
        let value = self.evaluate(operand, scope)?;
        value.number().ok_or_else(|| wanted("a number", operand, &value))
    }
}

fn wanted(what: &str, operand: &Expression, value: &Value) -> Box<Problem> {
    Problem::at(operand.place, format!("{what} is needed here, not {}", value.kind()))
}

fn too_large(operand: &Expression) -> Box<Problem> {
    Problem::at(operand.place, "the result is too large for a number")
}
