//! Walks the tree of a template over a value.

use serde_json::Value;

use super::parse::{Base, Command, Node, Operand, Pipeline};
use super::{TemplateError, functions};

/// Renders `nodes` for `value`.
pub(super) fn render(nodes: &[Node], value: &Value) -> Result<String, TemplateError> {
    let mut scope = Scope { variables: vec![(String::new(), value.clone())], out: String::new() };
    scope.nodes(nodes, value)?;
    Ok(scope.out)
}

/// What a template sees of a value when it writes it, as Go's `fmt.Print` does.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(text).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let mut pairs: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}:{}", text(value))).collect();
            pairs.sort();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

/// Whether a value counts as true in a condition.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

struct Scope {
    /// The newest last; the first one, without a name, is the whole value.
    variables: Vec<(String, Value)>,
    out: String,
}

/// What a field that is not there means.
#[derive(Clone, Copy, PartialEq)]
enum Absent {
    Error,
    Null,
}

impl Scope {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), TemplateError> {
        let outer = self.variables.len();
        for node in nodes {
            self.node(node, dot)?;
        }
        self.variables.truncate(outer);
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<(), TemplateError> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Output(pipeline) => {
                let value = self.pipeline(pipeline, dot, Absent::Error)?;
                if pipeline.name.is_none() {
                    self.out.push_str(&text(&value));
                }
            }
            Node::If { branches, otherwise } => {
                for (guard, body) in branches {
                    if is_true(&self.pipeline(guard, dot, Absent::Null)?) {
                        return self.nodes(body, dot);
                    }
                }
                self.nodes(otherwise, dot)?;
            }
            Node::With { value, body, otherwise } => {
                let outer = self.variables.len();
                let value = self.pipeline(value, dot, Absent::Null)?;
                if is_true(&value) {
                    self.nodes(body, &value)?;
                } else {
                    self.nodes(otherwise, dot)?;
                }
                self.variables.truncate(outer);
            }
            Node::Range { names, over, body, otherwise } => {
                let over = self.pipeline(over, dot, Absent::Error)?;
                self.range(names, over, body, otherwise, dot)?;
            }
        }
        Ok(())
    }

    fn range(
        &mut self,
        names: &[String],
        over: Value,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<(), TemplateError> {
        let elements: Vec<(Value, Value)> = match over {
            Value::Null => Vec::new(),
            Value::Array(elements) => {
                elements.into_iter().enumerate().map(|(at, element)| (at.into(), element)).collect()
            }
            Value::Object(fields) => {
                let mut pairs: Vec<_> = fields.into_iter().collect();
                pairs.sort_by(|one, other| one.0.cmp(&other.0));
                pairs.into_iter().map(|(name, value)| (name.into(), value)).collect()
            }
            other => return Err(TemplateError::NotIterable(functions::kind(&other))),
        };
        if elements.is_empty() {
            return self.nodes(otherwise, dot);
        }
        let outer = self.variables.len();
        for (key, element) in elements {
            match names {
                [name] => self.variables.push((name.clone(), element.clone())),
                [index, name] => {
                    self.variables.push((index.clone(), key));
                    self.variables.push((name.clone(), element.clone()));
                }
                _ => {}
            }
            self.nodes(body, &element)?;
            self.variables.truncate(outer);
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value, absent: Absent) -> Result<Value, TemplateError> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value, dot, absent)?);
        }
        let value = value.unwrap_or(Value::Null);
        if let Some(name) = &pipeline.name {
            self.variables.push((name.clone(), value.clone()));
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &Command,
        piped: Option<Value>,
        dot: &Value,
        absent: Absent,
    ) -> Result<Value, TemplateError> {
        let Some((first, rest)) = command.operands.split_first() else { return Ok(Value::Null) };
        let Base::Function(name) = &first.base else {
            if !rest.is_empty() || piped.is_some() {
                return Err(TemplateError::NotAFunction);
            }
            return self.operand(first, dot, absent);
        };
        let mut arguments =
            rest.iter().map(|operand| self.operand(operand, dot, absent)).collect::<Result<Vec<_>, _>>()?;
        arguments.extend(piped);
        functions::call(name, &arguments)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value, absent: Absent) -> Result<Value, TemplateError> {
        let base = match &operand.base {
            Base::Dot => return fields(dot, &operand.fields, absent),
            Base::Constant(value) => value.clone(),
            Base::Function(name) => functions::call(name, &[])?,
            Base::Pipeline(pipeline) => self.pipeline(pipeline, dot, absent)?,
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let (_, value) = found.ok_or_else(|| TemplateError::UnknownVariable(name.clone()))?;
                return fields(value, &operand.fields, absent);
            }
        };
        fields(&base, &operand.fields, absent)
    }
}

fn fields(value: &Value, names: &[String], absent: Absent) -> Result<Value, TemplateError> {
    let mut value = value;
    for name in names {
        match field(value, name) {
            Some(found) => value = found,
            None if absent == Absent::Null => return Ok(Value::Null),
            None => {
                let known = match value {
                    Value::Object(fields) => fields.keys().cloned().collect(),
                    _ => Vec::new(),
                };
                return Err(TemplateError::UnknownField { name: name.clone(), known });
            }
        }
    }
    Ok(value.clone())
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = value.as_object()?;
    fields
        .get(name)
        .or_else(|| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}
