//! What a type reads, asked before any flag is.
//!
//! A read of a number or a boolean returns it in registers. For that it has to know that the type reads one, and `Deserialize`
//! tells that only to a deserializer. So the type is first given one without a value, which answers with the method that was
//! called. For the types of the standard library that is a constant, and an optimised build has nothing left of it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// What a type reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wants {
    /// A boolean, an integer of at most 64 bits, or an `f64`.
    Scalar,
    /// A text that can be borrowed.
    Text,
    /// Anything else, or it depends on the value.
    Other,
}

/// What a type reads.
#[inline]
pub(crate) fn wants<'s, T: Deserialize<'s>>() -> Wants {
    // A type that reads nothing at all has a value even so.
    T::deserialize(Probe).err().unwrap_or(Wants::Other)
}

impl fmt::Display for Wants {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("there is no value yet")
    }
}

impl std::error::Error for Wants {}

impl Error for Wants {
    fn custom<M: fmt::Display>(_message: M) -> Self {
        Self::Other
    }
}

/// A deserializer without a value.
struct Probe;

macro_rules! answer {
    ($wants:ident: $($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'s>>(self, _visitor: V) -> Result<V::Value, Wants> {
            Err(Wants::$wants)
        }
    )*};
}

macro_rules! answer_other {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method<V: Visitor<'s>>(self, $($argument: $type,)* _visitor: V) -> Result<V::Value, Wants> {
            Err(Wants::Other)
        }
    )*};
}

impl<'s> Deserializer<'s> for Probe {
    type Error = Wants;

    answer! { Scalar:
        deserialize_bool deserialize_f64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    answer! { Text: deserialize_str }

    answer! { Other:
        deserialize_any deserialize_i128 deserialize_u128 deserialize_f32 deserialize_char deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier deserialize_ignored_any
    }

    answer_other! {
        deserialize_unit_struct(_name: &'static str)
        deserialize_newtype_struct(_name: &'static str)
        deserialize_tuple(_len: usize)
        deserialize_tuple_struct(_name: &'static str, _len: usize)
        deserialize_struct(_name: &'static str, _fields: &'static [&'static str])
        deserialize_enum(_name: &'static str, _variants: &'static [&'static str])
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;

    #[test]
    fn types_say_what_they_read() {
        assert_eq!([wants::<bool>(), wants::<u8>(), wants::<i64>(), wants::<f64>()], [Wants::Scalar; 4]);
        assert_eq!(wants::<&str>(), Wants::Text);
        assert_eq!([wants::<String>(), wants::<f32>(), wants::<Option<u8>>(), wants::<Vec<u8>>()], [Wants::Other; 4]);
        assert_eq!([wants::<serde_json::Value>(), wants::<()>(), wants::<u128>()], [Wants::Other; 3]);
        assert_eq!(wants::<PhantomData<u8>>(), Wants::Other);
    }

    #[test]
    fn a_type_that_makes_up_for_errors_is_read_from_its_value() {
        #[derive(Debug, PartialEq)]
        struct OrZero(u8);

        impl<'s> Deserialize<'s> for OrZero {
            fn deserialize<D: Deserializer<'s>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self(u8::deserialize(deserializer).unwrap_or(0)))
            }
        }
        assert_eq!(wants::<OrZero>(), Wants::Other);
    }
}
