//! The fields of an evaluation context as attributes, borrowed.
//!
//! Most fields are lent to the engine as they stand. A list, an object and a time have another form there, and an arena keeps
//! those forms while the flag is evaluated.

use std::any::Any;
use std::cell::{Cell, OnceCell};

use open_feature::{EvaluationContext, EvaluationContextFieldValue as Field, StructValue, Value};
use tidegate::{Attribute, Micros};

/// What other forms live in while attributes borrow them.
pub(crate) struct Arena<'a> {
    cells: Box<[OnceCell<Owned<'a>>]>,
    used: Cell<usize>,
}

/// A form that no field has itself.
enum Owned<'a> {
    Text(String),
    List(Vec<Attribute<'a>>),
    Object(Vec<(&'a str, Attribute<'a>)>),
}

impl<'a> Arena<'a> {
    /// An arena that has room for the forms that this context needs.
    pub(crate) fn new(context: &EvaluationContext) -> Self {
        let count = context.custom_fields.values().map(forms_of_field).sum();
        Self { cells: (0..count).map(|_| OnceCell::new()).collect(), used: Cell::new(0) }
    }

    /// The attributes of the context for which the arena was made.
    pub(crate) fn attributes(&'a self, context: &'a EvaluationContext) -> Vec<(&'a str, Attribute<'a>)> {
        let fields = context.custom_fields.iter();
        fields.filter_map(|(name, field)| Some((name.as_str(), self.field(field)?))).collect()
    }

    fn field(&'a self, field: &'a Field) -> Option<Attribute<'a>> {
        match field {
            Field::Bool(value) => Some(Attribute::Bool(*value)),
            Field::Int(value) => Some(Attribute::Integer(*value)),
            Field::Float(value) => Some(Attribute::Float(*value)),
            Field::String(value) => Some(Attribute::Text(value)),
            Field::DateTime(value) => {
                let micros = i64::try_from(value.unix_timestamp_nanos().div_euclid(NANOS_PER_MICRO)).ok()?;
                self.keep(Owned::Text(Micros::new(micros).to_string()))
            }
            Field::Struct(value) => match Known::of(&**value)? {
                Known::Object(object) => self.object(object),
                Known::Value(value) => self.value(value),
                Known::List(list) => self.list(list),
                Known::Texts(texts) => self.keep(Owned::List(texts.iter().map(|text| Attribute::Text(text)).collect())),
            },
        }
    }

    fn value(&'a self, value: &'a Value) -> Option<Attribute<'a>> {
        match value {
            Value::Bool(value) => Some(Attribute::Bool(*value)),
            Value::Int(value) => Some(Attribute::Integer(*value)),
            Value::Float(value) => Some(Attribute::Float(*value)),
            Value::String(value) => Some(Attribute::Text(value)),
            Value::Array(list) => self.list(list),
            Value::Struct(object) => self.object(object),
        }
    }

    fn list(&'a self, list: &'a [Value]) -> Option<Attribute<'a>> {
        self.keep(Owned::List(list.iter().filter_map(|element| self.value(element)).collect()))
    }

    fn object(&'a self, object: &'a StructValue) -> Option<Attribute<'a>> {
        let members = object.fields.iter();
        let members = members.filter_map(|(name, value)| Some((name.as_str(), self.value(value)?)));
        self.keep(Owned::Object(members.collect()))
    }

    /// Keeps a form, and lends it. There is a cell for each; see [`Arena::new`].
    fn keep(&'a self, owned: Owned<'a>) -> Option<Attribute<'a>> {
        let index = self.used.get();
        self.used.set(index.saturating_add(1));
        Some(match self.cells.get(index)?.get_or_init(|| owned) {
            Owned::Text(text) => Attribute::Text(text),
            Owned::List(elements) => Attribute::List(elements),
            Owned::Object(members) => Attribute::Object(members),
        })
    }
}

/// The types of a struct that are understood.
enum Known<'a> {
    Object(&'a StructValue),
    Value(&'a Value),
    List(&'a [Value]),
    Texts(&'a [String]),
}

impl<'a> Known<'a> {
    fn of(value: &'a (dyn Any + Send + Sync)) -> Option<Self> {
        let object = value.downcast_ref().map(Self::Object);
        object
            .or_else(|| value.downcast_ref().map(Self::Value))
            .or_else(|| value.downcast_ref::<Vec<Value>>().map(|list| Self::List(list)))
            .or_else(|| value.downcast_ref::<Vec<String>>().map(|texts| Self::Texts(texts)))
    }
}

fn forms_of_field(field: &Field) -> usize {
    match field {
        Field::Bool(_) | Field::Int(_) | Field::Float(_) | Field::String(_) => 0,
        Field::DateTime(_) => 1,
        Field::Struct(value) => match Known::of(&**value) {
            None => 0,
            Some(Known::Texts(_)) => 1,
            Some(Known::Value(value)) => forms_of(value),
            Some(Known::List(list)) => list.iter().map(forms_of).fold(1, usize::saturating_add),
            Some(Known::Object(object)) => object.fields.values().map(forms_of).fold(1, usize::saturating_add),
        },
    }
}

fn forms_of(value: &Value) -> usize {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => 0,
        Value::Array(list) => list.iter().map(forms_of).fold(1, usize::saturating_add),
        Value::Struct(object) => object.fields.values().map(forms_of).fold(1, usize::saturating_add),
    }
}

const NANOS_PER_MICRO: i128 = 1_000;
