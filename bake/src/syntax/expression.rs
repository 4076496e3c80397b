//! Expressions as a tree, and how hcl-edit's tree becomes ours.

use hcl_edit::Span;
use hcl_edit::expr as hcl;
use hcl_edit::template as hcl_template;

use super::strip::Strips;
use crate::error::{Problem, Result};
use crate::source::Place;
use crate::value::{Number, Value};

pub(crate) use hcl::{BinaryOperator as Binary, UnaryOperator as Unary};

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) kind: Kind,
    pub(crate) place: Place,
}

/// The forms of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Literal(Value),
    List(Vec<Expression>),
    Object(Vec<ObjectItem>),
    Template(Vec<Piece>),
    Variable(String),
    Parenthesis(Box<Expression>),
    Conditional(Box<Condition>),
    Call(Box<Call>),
    Traversal(Box<Expression>, Vec<Step>),
    Unary(Unary, Box<Expression>),
    Binary(Box<Expression>, Binary, Box<Expression>),
    For(Box<For>),
}

/// `key = value` in an object.
#[derive(Clone, Debug)]
pub(crate) struct ObjectItem {
    pub(crate) key: Expression,
    pub(crate) value: Expression,
}

/// `condition ? yes : no`.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) condition: Expression,
    pub(crate) yes: Expression,
    pub(crate) no: Expression,
}

/// `name(arguments)`, or `name(arguments...)`.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) name_place: Place,
    pub(crate) arguments: Vec<Expression>,
    pub(crate) spread: bool,
}

/// One step behind a value.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `.name`
    Name(String, Place),
    /// `[index]` or `.0`
    Index(Expression),
    /// `.*`: the steps that are names, of every element; `[*]`: all steps, of every element.
    Splat {
        /// `[*]`
        full: bool,
        place: Place,
    },
}

/// `[for k, v in collection: value if condition]`, or with braces and `key => value`.
#[derive(Clone, Debug)]
pub(crate) struct For {
    pub(crate) key_name: Option<String>,
    pub(crate) value_name: String,
    pub(crate) collection: Expression,
    pub(crate) key: Option<Expression>,
    pub(crate) value: Expression,
    pub(crate) grouping: bool,
    pub(crate) condition: Option<Expression>,
}

/// A part of a template. Spaces that `~` takes away are gone already.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    Value(Expression),
    If(Expression, Vec<Piece>, Vec<Piece>),
    For { key_name: Option<String>, value_name: String, collection: Expression, pieces: Vec<Piece> },
}

/// Reads one expression, such as the type that a variable of a JSON file names in a string.
pub(crate) fn parse_expression(text: &str, place: Place) -> Result<Expression> {
    let parsed: hcl::Expression =
        text.trim().parse().map_err(|_| Problem::at(place, format!("`{text}` is not an expression")))?;
    Ok(Reader { file: place.file, fixed: Some(place) }.expression(&parsed))
}

/// Reads text that may hold `${…}`. Everything in it stands at `place`.
pub(crate) fn parse_template(text: &str, place: Place) -> Result<Expression> {
    if !text.contains("${") && !text.contains("%{") {
        return Ok(Expression { kind: Kind::Literal(text.into()), place });
    }
    let parsed: hcl_template::Template = text.parse().map_err(|error: hcl_edit::parser::Error| {
        Problem::at(place, "the text in this string is not a template").label(error.message())
    })?;
    Ok(Reader { file: place.file, fixed: Some(place) }.template(&parsed, place))
}

/// Turns hcl-edit's tree into ours.
pub(super) struct Reader {
    pub(super) file: usize,
    /// Where everything stands, if offsets in the parsed text are not those in the file.
    pub(super) fixed: Option<Place>,
}

impl Reader {
    fn place(&self, spanned: &impl Span) -> Place {
        self.fixed.unwrap_or_else(|| Place::new(self.file, spanned.span()))
    }

    pub(super) fn expression(&self, expression: &hcl::Expression) -> Expression {
        use hcl::Expression as Hcl;
        let place = self.place(expression);
        let kind = match expression {
            Hcl::Null(_) => Kind::Literal(Value::Null),
            Hcl::Bool(value) => Kind::Literal(Value::Bool(*value.value())),
            Hcl::Number(number) => Kind::Literal(self.number(number.value())),
            Hcl::String(text) => Kind::Literal(text.value().as_str().into()),
            Hcl::Array(values) => Kind::List(values.iter().map(|value| self.expression(value)).collect()),
            Hcl::Object(object) => Kind::Object(self.items(object)),
            Hcl::StringTemplate(template) => return self.template(template, place),
            Hcl::HeredocTemplate(heredoc) => return self.template(&heredoc.template, place),
            Hcl::Parenthesis(inner) => Kind::Parenthesis(Box::new(self.expression(inner.inner()))),
            Hcl::Variable(name) => Kind::Variable(name.as_str().to_owned()),
            Hcl::Conditional(condition) => Kind::Conditional(Box::new(Condition {
                condition: self.expression(&condition.cond_expr),
                yes: self.expression(&condition.true_expr),
                no: self.expression(&condition.false_expr),
            })),
            Hcl::FuncCall(call) => Kind::Call(Box::new(self.call(call))),
            Hcl::Traversal(traversal) => Kind::Traversal(
                Box::new(self.expression(&traversal.expr)),
                traversal.operators.iter().map(|step| self.step(step)).collect(),
            ),
            Hcl::UnaryOp(unary) => {
                Kind::Unary(*unary.operator.value(), Box::new(self.expression(&unary.expr)))
            }
            Hcl::BinaryOp(binary) => Kind::Binary(
                Box::new(self.expression(&binary.lhs_expr)),
                *binary.operator.value(),
                Box::new(self.expression(&binary.rhs_expr)),
            ),
            Hcl::ForExpr(each) => Kind::For(Box::new(For {
                key_name: each.intro.key_var.as_ref().map(|name| name.as_str().to_owned()),
                value_name: each.intro.value_var.as_str().to_owned(),
                collection: self.expression(&each.intro.collection_expr),
                key: each.key_expr.as_ref().map(|key| self.expression(key)),
                value: self.expression(&each.value_expr),
                grouping: each.grouping,
                condition: each.cond.as_ref().map(|condition| self.expression(&condition.expr)),
            })),
        };
        Expression { kind, place }
    }

    fn number(&self, number: &hcl_edit::Number) -> Value {
        let whole = number.as_u64().map(i128::from).or(number.as_i64().map(i128::from));
        let number = match whole {
            Some(whole) => Some(Number::Whole(whole)),
            None => number.as_f64().and_then(Number::real),
        };
        number.map_or(Value::Null, Value::Number)
    }

    fn items(&self, object: &hcl::Object) -> Vec<ObjectItem> {
        object
            .iter()
            .map(|(key, value)| {
                let key = match key {
                    hcl::ObjectKey::Ident(name) => {
                        Expression { kind: Kind::Literal(name.as_str().into()), place: self.place(name) }
                    }
                    hcl::ObjectKey::Expression(key) => self.expression(key),
                };
                ObjectItem { key, value: self.expression(value.expr()) }
            })
            .collect()
    }

    fn call(&self, call: &hcl::FuncCall) -> Call {
        let spaces = call.name.namespace.iter().map(|part| format!("{}::", part.as_str()));
        Call {
            name: spaces.collect::<String>() + call.name.name.as_str(),
            name_place: self.place(&call.name.name),
            arguments: call.args.iter().map(|argument| self.expression(argument)).collect(),
            spread: call.args.expand_final(),
        }
    }

    fn step(&self, step: &hcl_edit::Decorated<hcl::TraversalOperator>) -> Step {
        use hcl::TraversalOperator as Hcl;
        let place = self.place(step);
        match step.value() {
            Hcl::AttrSplat(_) => Step::Splat { full: false, place },
            Hcl::FullSplat(_) => Step::Splat { full: true, place },
            Hcl::GetAttr(name) => Step::Name(name.as_str().to_owned(), self.place(name)),
            Hcl::Index(index) => Step::Index(self.expression(index)),
            Hcl::LegacyIndex(index) => {
                let number = Number::Whole(i128::from(*index.value()));
                Step::Index(Expression { kind: Kind::Literal(number.into()), place })
            }
        }
    }

    pub(super) fn template(&self, template: &hcl_template::Template, place: Place) -> Expression {
        Expression { kind: Kind::Template(self.pieces(template, Strips::default())), place }
    }

    /// The pieces of a template. `around` says what `~` in the markers around it takes away.
    fn pieces(&self, template: &hcl_template::Template, around: Strips) -> Vec<Piece> {
        use hcl_template::{Directive, Element};
        let elements: Vec<&Element> = template.iter().collect();
        let outer = |at: usize| elements.get(at).map(|element| Strips::outside(element));
        let mut pieces = Vec::with_capacity(elements.len());
        for (at, element) in elements.iter().enumerate() {
            pieces.push(match element {
                Element::Literal(text) => {
                    let before =
                        at.checked_sub(1).and_then(outer).unwrap_or(Strips { end: around.start, ..around });
                    let after = outer(at + 1).unwrap_or(Strips { start: around.end, ..around });
                    Piece::Text(Strips { start: before.end, end: after.start }.apply(text.value()))
                }
                Element::Interpolation(inner) => Piece::Value(self.expression(&inner.expr)),
                Element::Directive(directive) => match directive.as_ref() {
                    Directive::If(branch) => {
                        let end = Strips::of(branch.endif_expr.strip).start;
                        let middle = branch.else_expr.as_ref().map(|other| Strips::of(other.strip));
                        let yes = Strips {
                            start: Strips::of(branch.if_expr.strip).end,
                            end: middle.map_or(end, |middle| middle.start),
                        };
                        let no = Strips { start: middle.is_some_and(|middle| middle.end), end };
                        let other = branch.else_expr.as_ref();
                        Piece::If(
                            self.expression(&branch.if_expr.cond_expr),
                            self.pieces(&branch.if_expr.template, yes),
                            other.map_or(Vec::new(), |other| self.pieces(&other.template, no)),
                        )
                    }
                    Directive::For(each) => {
                        let inside = Strips {
                            start: Strips::of(each.for_expr.strip).end,
                            end: Strips::of(each.endfor_expr.strip).start,
                        };
                        Piece::For {
                            key_name: each.for_expr.key_var.as_ref().map(|name| name.as_str().to_owned()),
                            value_name: each.for_expr.value_var.as_str().to_owned(),
                            collection: self.expression(&each.for_expr.collection_expr),
                            pieces: self.pieces(&each.for_expr.template, inside),
                        }
                    }
                },
            });
        }
        pieces
    }
}
