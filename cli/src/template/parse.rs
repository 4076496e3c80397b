//! Builds the tree of a template from its parts.

use serde_json::Value;

use super::token::{self, Part, Token};
use super::{TemplateError, functions};

const DEEPEST: usize = 64;

/// One node of a template.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    /// Written as it is.
    Text(String),
    /// A pipeline; its value is written unless it names a variable.
    Output(Pipeline),
    /// The first branch whose condition holds.
    If {
        /// Conditions and what they guard, in order.
        branches: Vec<(Pipeline, Vec<Node>)>,
        /// What is written when none holds.
        otherwise: Vec<Node>,
    },
    /// The body for each element.
    Range {
        /// Names of the index and the element, or of the element alone.
        names: Vec<String>,
        /// What has the elements.
        over: Pipeline,
        /// Written for each.
        body: Vec<Node>,
        /// Written when there are none.
        otherwise: Vec<Node>,
    },
    /// The body with another value at hand.
    With {
        /// The value.
        value: Pipeline,
        /// Written when it is not empty.
        body: Vec<Node>,
        /// Written when it is.
        otherwise: Vec<Node>,
    },
}

/// Commands, each of which gets the value of the one before as its last argument.
#[derive(Debug, PartialEq)]
pub(super) struct Pipeline {
    /// A variable that keeps the value.
    pub(super) name: Option<String>,
    /// At least one.
    pub(super) commands: Vec<Command>,
}

/// A value, or a function and its arguments.
#[derive(Debug, PartialEq)]
pub(super) struct Command {
    /// At least one.
    pub(super) operands: Vec<Operand>,
}

/// A value and the fields looked up in it.
#[derive(Debug, PartialEq)]
pub(super) struct Operand {
    /// Where it starts.
    pub(super) base: Base,
    /// Fields, from the outside in.
    pub(super) fields: Vec<String>,
}

/// Where an operand starts.
#[derive(Debug, PartialEq)]
pub(super) enum Base {
    /// The value at hand.
    Dot,
    /// A variable; the empty name is the whole value.
    Variable(String),
    /// A constant.
    Constant(Value),
    /// A function.
    Function(String),
    /// A pipeline in parentheses.
    Pipeline(Pipeline),
}

/// Parses a template.
pub(super) fn nodes(template: &str) -> Result<Vec<Node>, TemplateError> {
    let mut parts = token::parts(template)?.into_iter();
    let (nodes, end) = block(&mut parts, 0)?;
    match end {
        None => Ok(nodes),
        Some(End::Else(_)) => Err(expected("`if`, `range` or `with`", "before `else`")),
        Some(End::End) => Err(expected("`if`, `range` or `with`", "before `end`")),
    }
}

/// What ended a block.
enum End {
    End,
    /// With what stands behind `else`.
    Else(Vec<Token>),
}

type Parts = std::vec::IntoIter<Part>;

fn block(parts: &mut Parts, depth: usize) -> Result<(Vec<Node>, Option<End>), TemplateError> {
    if depth > DEEPEST {
        return Err(TemplateError::TooDeep);
    }
    let mut nodes = Vec::new();
    while let Some(part) = parts.next() {
        let tokens = match part {
            Part::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Part::Action(tokens) => tokens,
        };
        let mut words = Words::new(tokens);
        match words.keyword() {
            Some("end") => return Ok((nodes, Some(End::End))),
            Some("else") => return Ok((nodes, Some(End::Else(words.rest(1))))),
            Some("if") => nodes.push(condition(Words::new(words.rest(1)), parts, depth)?),
            Some("range") => nodes.push(range(Words::new(words.rest(1)), parts, depth)?),
            Some("with") => {
                let value = Words::new(words.rest(1)).pipeline_alone()?;
                let (body, otherwise) = body_and_otherwise("with", parts, depth)?;
                nodes.push(Node::With { value, body, otherwise });
            }
            _ => nodes.push(Node::Output(words.pipeline_alone()?)),
        }
    }
    Ok((nodes, None))
}

fn condition(mut words: Words, parts: &mut Parts, depth: usize) -> Result<Node, TemplateError> {
    let mut branches = Vec::new();
    loop {
        let guard = words.pipeline_alone()?;
        let (body, end) = block(parts, depth + 1)?;
        branches.push((guard, body));
        match end {
            None => return Err(unended("if")),
            Some(End::End) => return Ok(Node::If { branches, otherwise: Vec::new() }),
            Some(End::Else(tokens)) => {
                words = Words::new(tokens);
                if words.keyword() == Some("if") {
                    words = Words::new(words.rest(1));
                    continue;
                }
                words.nothing_more()?;
                return match block(parts, depth + 1)? {
                    (otherwise, Some(End::End)) => Ok(Node::If { branches, otherwise }),
                    _ => Err(unended("if")),
                };
            }
        }
    }
}

fn range(mut words: Words, parts: &mut Parts, depth: usize) -> Result<Node, TemplateError> {
    let mut names = Vec::new();
    if words.tokens.contains(&Token::Declare) {
        loop {
            match words.next() {
                Some(Token::Variable(name)) => names.push(name),
                _ => return Err(expected("a variable", "behind `range`")),
            }
            match words.next() {
                Some(Token::Comma) if names.len() < 2 => {}
                Some(Token::Declare) => break,
                _ => return Err(expected("`:=`", "behind the variables of `range`")),
            }
        }
    }
    let over = words.pipeline_alone()?;
    let (body, otherwise) = body_and_otherwise("range", parts, depth)?;
    Ok(Node::Range { names, over, body, otherwise })
}

fn body_and_otherwise(
    keyword: &str,
    parts: &mut Parts,
    depth: usize,
) -> Result<(Vec<Node>, Vec<Node>), TemplateError> {
    match block(parts, depth + 1)? {
        (body, Some(End::End)) => Ok((body, Vec::new())),
        (body, Some(End::Else(tokens))) => {
            Words::new(tokens).nothing_more()?;
            match block(parts, depth + 1)? {
                (otherwise, Some(End::End)) => Ok((body, otherwise)),
                _ => Err(unended(keyword)),
            }
        }
        (_, None) => Err(unended(keyword)),
    }
}

fn expected(expected: &'static str, place: &str) -> TemplateError {
    TemplateError::Expected { expected, place: place.to_owned() }
}

fn unended(keyword: &str) -> TemplateError {
    expected("`end`", &format!("to close `{keyword}`"))
}

/// The words of one action, read from the front.
struct Words {
    tokens: Vec<Token>,
    at: usize,
}

impl Words {
    fn new(tokens: Vec<Token>) -> Self {
        Self { tokens, at: 0 }
    }

    /// The next word, spaces left out.
    fn next(&mut self) -> Option<Token> {
        self.skip_space();
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn peek(&mut self) -> Option<&Token> {
        self.skip_space();
        self.tokens.get(self.at)
    }

    fn skip_space(&mut self) {
        while self.tokens.get(self.at) == Some(&Token::Space) {
            self.at += 1;
        }
    }

    fn keyword(&mut self) -> Option<&str> {
        match self.peek() {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// What follows the next `count` words.
    fn rest(&mut self, count: usize) -> Vec<Token> {
        for _ in 0..count {
            self.next();
        }
        self.tokens.split_off(self.at.min(self.tokens.len()))
    }

    fn nothing_more(&mut self) -> Result<(), TemplateError> {
        match self.peek() {
            None => Ok(()),
            Some(token) => Err(expected("`}}`", &format!("before {}", shown(token)))),
        }
    }

    fn pipeline_alone(&mut self) -> Result<Pipeline, TemplateError> {
        let pipeline = self.pipeline(0)?;
        self.nothing_more()?;
        Ok(pipeline)
    }

    fn pipeline(&mut self, depth: usize) -> Result<Pipeline, TemplateError> {
        if depth > DEEPEST {
            return Err(TemplateError::TooDeep);
        }
        let mut name = None;
        if let Some(Token::Variable(variable)) = self.peek().cloned() {
            let before = self.at;
            self.next();
            match self.peek() {
                Some(Token::Declare | Token::Assign) => {
                    self.next();
                    name = Some(variable);
                }
                _ => self.at = before,
            }
        }
        let mut commands = vec![self.command(depth)?];
        while self.peek() == Some(&Token::Pipe) {
            self.next();
            commands.push(self.command(depth)?);
        }
        Ok(Pipeline { name, commands })
    }

    fn command(&mut self, depth: usize) -> Result<Command, TemplateError> {
        let mut operands = Vec::new();
        while let Some(token) = self.peek().cloned() {
            if matches!(token, Token::Pipe | Token::Close) {
                break;
            }
            self.next();
            operands.push(self.operand(token, depth)?);
        }
        if operands.is_empty() {
            return Err(expected("a value or a function", "in an action"));
        }
        Ok(Command { operands })
    }

    fn operand(&mut self, token: Token, depth: usize) -> Result<Operand, TemplateError> {
        let mut fields = Vec::new();
        let base = match token {
            Token::Field(name) => {
                if !name.is_empty() {
                    fields.push(name);
                }
                Base::Dot
            }
            Token::Variable(name) => Base::Variable(name),
            Token::Text(text) => Base::Constant(Value::String(text)),
            Token::Number(number) => Base::Constant(Value::Number(number)),
            Token::Word(word) => match word.as_str() {
                "true" => Base::Constant(Value::Bool(true)),
                "false" => Base::Constant(Value::Bool(false)),
                "nil" => Base::Constant(Value::Null),
                name if functions::is_known(name) => Base::Function(word),
                name => {
                    let known: Vec<String> = functions::names().into_iter().map(str::to_owned).collect();
                    let similar = crate::suggest::closest(name, &known).map(str::to_owned);
                    return Err(TemplateError::UnknownFunction { name: word, similar });
                }
            },
            Token::Open => {
                let pipeline = self.pipeline(depth + 1)?;
                match self.next() {
                    Some(Token::Close) => Base::Pipeline(pipeline),
                    _ => return Err(expected("`)`", "behind a pipeline in parentheses")),
                }
            }
            other => return Err(expected("a value or a function", &format!("instead of {}", shown(&other)))),
        };
        // Without a space in between: `.A.B` and `(index .A 0).B`.
        while let Some(Token::Field(name)) = self.tokens.get(self.at) {
            fields.push(name.clone());
            self.at += 1;
        }
        Ok(Operand { base, fields })
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Field(name) => format!("`.{name}`"),
        Token::Variable(name) => format!("`${name}`"),
        Token::Text(text) => format!("`\"{text}\"`"),
        Token::Number(number) => format!("`{number}`"),
        Token::Pipe => "`|`".to_owned(),
        Token::Open => "`(`".to_owned(),
        Token::Close => "`)`".to_owned(),
        Token::Declare => "`:=`".to_owned(),
        Token::Assign => "`=`".to_owned(),
        Token::Comma => "`,`".to_owned(),
        Token::Space => "a space".to_owned(),
    }
}
