//! JSON-RPC messages (version 2.0), read as far as they decide on scopes.
//!
//! The reader is that of tokens: a name that comes twice, and the names by which `serde_json` marks
//! values of its own, are faults at every level. So no other reader finds another method or another name
//! in a message that this one accepts.

use std::{borrow::Cow, fmt, slice};

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use serde_json::value::RawValue;

use super::params::{Fields, MOST_OPERATIONS, Value, is_like_one_of};
use crate::{
    error::McpFault,
    json::{self, Checked, Object},
};

/// The operation of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation<'m> {
    /// The answer to a question of the server.
    Answer,
    /// A method that has no name in its parameters.
    Method(Cow<'m, str>),
    /// A method that needs a name in its parameters, and is without one.
    Unnamed,
    Tool(Cow<'m, str>),
    Resource(Cow<'m, str>),
    Prompt(Cow<'m, str>),
}

/// Whether a method has what it is about in its parameters, and what that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Tool,
    Resource,
    Prompt,
    /// The parameters name a task.
    Task,
    /// The parameters have a reference to a prompt or a resource.
    Reference,
    /// The parameters have a list of resources.
    Subscriptions,
    None,
}

impl Subject {
    pub(super) fn of(method: &str) -> Self {
        match method {
            "tools/call" => Self::Tool,
            "prompts/get" => Self::Prompt,
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => Self::Resource,
            "tasks/get" | "tasks/update" | "tasks/cancel" => Self::Task,
            "completion/complete" => Self::Reference,
            "subscriptions/listen" => Self::Subscriptions,
            _ => Self::None,
        }
    }

    /// The operation on what has this name, if the subject is a tool, a resource or a prompt.
    pub(super) fn operation(self, name: Cow<'_, str>) -> Option<Operation<'_>> {
        match self {
            Self::Tool => Some(Operation::Tool(name)),
            Self::Resource => Some(Operation::Resource(name)),
            Self::Prompt => Some(Operation::Prompt(name)),
            Self::Task | Self::Reference | Self::Subscriptions | Self::None => None,
        }
    }
}

/// The messages of a body.
#[derive(Debug)]
pub(super) enum Messages<'m> {
    One(Box<Message<'m>>),
    /// A batch, as the revision 2025-03-26 has it.
    Batch(Vec<Message<'m>>),
}

impl<'m> Messages<'m> {
    /// Reads a body, with a batch of at most so many messages.
    pub(super) fn read(body: &'m [u8], most: usize) -> Result<Self, McpFault> {
        let text = std::str::from_utf8(body).map_err(|_| McpFault::NotJson)?;
        if json::is_object(text) {
            let mut message = Message::default();
            json::read(text, &mut message).map_err(|_| fault_of(text))?;
            return Ok(Self::One(Box::new(message)));
        }
        let (mut batch, mut is_too_long) = (Vec::new(), false);
        let mut json = serde_json::Deserializer::from_str(text);
        let reader = BatchVisitor { batch: &mut batch, most, is_too_long: &mut is_too_long };
        let read = json.deserialize_seq(reader).and_then(|()| json.end());
        match read {
            Ok(()) if !batch.is_empty() => Ok(Self::Batch(batch)),
            _ if is_too_long => Err(McpFault::BatchTooLong),
            Ok(()) => Err(McpFault::Malformed),
            Err(_) => Err(fault_of(text)),
        }
    }

    /// The id of the message, in JSON, if there is one message that has one.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::One(message) => message.id,
            Self::Batch(_) => None,
        }
    }

    /// All that they ask for.
    pub(super) fn operations(&self) -> Result<Vec<Operation<'_>>, McpFault> {
        let messages = match self {
            Self::One(message) => slice::from_ref(&**message),
            Self::Batch(batch) => batch,
        };
        let mut operations = Vec::new();
        for message in messages {
            message.add_operations(&mut operations)?;
            if message.params.has_too_many() || operations.len() > MOST_OPERATIONS {
                return Err(McpFault::TooManyOperations);
            }
        }
        Ok(operations)
    }
}

/// Why a text is not read: as JSON, it may be good.
#[cold]
fn fault_of(text: &str) -> McpFault {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => McpFault::Malformed,
        Err(_) => McpFault::NotJson,
    }
}

/// Reads a batch, and stops at the first message that is too many.
struct BatchVisitor<'b, 'm> {
    batch: &'b mut Vec<Message<'m>>,
    most: usize,
    is_too_long: &'b mut bool,
}

impl<'de> Visitor<'de> for BatchVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(message) = seq.next_element()? {
            if self.batch.len() == self.most {
                *self.is_too_long = true;
                return Err(A::Error::custom("too many messages"));
            }
            self.batch.push(message);
        }
        Ok(())
    }
}

/// One message.
#[derive(Debug, Default)]
pub(super) struct Message<'m> {
    method: Option<Cow<'m, str>>,
    params: Fields<'m>,
    /// Whether the parameters are an object. A server may read an array as one, by the places in it.
    has_fields: bool,
    has_answer: bool,
    /// Its text in JSON: a number, a string or `null`.
    id: Option<&'m str>,
    /// Whether a name differs from one that counts only in its case.
    is_ambiguous: bool,
}

impl Message<'_> {
    pub(super) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The value that `Mcp-Name` must have, if the method is one with a name.
    pub(super) fn name(&self) -> Option<&str> {
        let params = &self.params;
        match Subject::of(self.method()?) {
            Subject::Tool | Subject::Prompt => params.name.as_deref(),
            Subject::Resource => params.uri.as_deref(),
            Subject::Task => params.task_id.as_deref(),
            Subject::Reference | Subject::Subscriptions | Subject::None => None,
        }
    }

    fn add_operations<'s>(&'s self, to: &mut Vec<Operation<'s>>) -> Result<(), McpFault> {
        let method = match self.method() {
            _ if self.is_ambiguous => return Err(McpFault::Malformed),
            None if self.has_answer => {
                to.push(Operation::Answer);
                return Ok(());
            }
            Some(method) if !self.has_answer => method,
            _ => return Err(McpFault::Malformed),
        };
        let subject = Subject::of(method);
        if subject != Subject::None && self.params.is_ambiguous() {
            return Err(McpFault::Malformed);
        }
        match subject {
            Subject::Tool | Subject::Resource | Subject::Prompt => {
                let operation = self.name().and_then(|name| subject.operation(name.into()));
                to.push(operation.unwrap_or(Operation::Unnamed));
            }
            Subject::Reference => {
                to.push(Operation::Method(Cow::Borrowed(method)));
                let reference = self.params.reference.as_deref();
                let prompt = reference.and_then(|reference| reference.name.as_deref());
                let uri = reference.and_then(|reference| reference.uri.as_deref());
                if prompt.is_none() && uri.is_none() {
                    to.push(Operation::Unnamed);
                }
                to.extend(prompt.map(|name| Operation::Prompt(name.into())));
                to.extend(uri.map(|uri| Operation::Resource(uri.into())));
            }
            Subject::Subscriptions => {
                to.push(Operation::Method(Cow::Borrowed(method)));
                let filter = self.params.notifications.as_deref();
                // The notifications about a task have its result.
                if filter.is_some_and(|filter| filter.has_tasks) {
                    to.push(Operation::Method(Cow::Borrowed("tasks/get")));
                }
                if !self.has_fields || filter.is_some_and(|filter| filter.has_others) {
                    to.push(Operation::Unnamed);
                }
                let uris = filter.map_or(&[][..], |filter| &filter.subscriptions);
                to.extend(uris.iter().map(|uri| Operation::Resource(Cow::Borrowed(uri))));
            }
            Subject::Task | Subject::None => to.push(Operation::Method(Cow::Borrowed(method))),
        }
        Ok(())
    }
}

impl<'de> Object<'de> for Message<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "method" => self.method = Some(map.next_value::<json::Text<'de>>()?.0),
            "params" => {
                if let Value::Fields(params) = map.next_value()? {
                    self.params = *params;
                    self.has_fields = true;
                }
            }
            "result" | "error" => {
                self.has_answer = true;
                map.next_value::<Checked>()?;
            }
            "id" => {
                let id = map.next_value::<&RawValue>()?.get();
                match is_id(id) {
                    true => self.id = Some(id),
                    false => self.is_ambiguous = true,
                }
            }
            _ => {
                self.is_ambiguous |= is_like_one_of(name, &["method", "params", "result", "error"]);
                return Checked.member(name, map);
            }
        }
        // The reader of the object refuses a repetition.
        Ok(false)
    }
}

impl<'de> Deserialize<'de> for Message<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MessageVisitor;

        impl<'de> Visitor<'de> for MessageVisitor {
            type Value = Message<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Message<'de>, A::Error> {
                let mut message = Message::default();
                json::members(&mut message, map)?;
                Ok(message)
            }
        }

        deserializer.deserialize_map(MessageVisitor)
    }
}

/// Whether a value is a number, a text, or another one without parts, which every reader takes.
fn is_id(json: &str) -> bool {
    !json.starts_with(['{', '[']) && serde_json::from_str::<Checked>(json).is_ok()
}
