//! Values that JSON has as text, there and back.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

pub(in crate::live) fn serialize<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(in crate::live) fn deserialize<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A number of 16 hexadecimal digits.
pub(in crate::live) mod hexadecimal {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over the field as it is")]
    pub(in crate::live) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:016x}"))
    }

    pub(in crate::live) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(D::Error::custom)
    }
}

/// An instant, or none.
pub(in crate::live) mod optional_instant {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use tidegate_engine::Micros;
    use tidegate_engine::document::parse_time;

    #[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
    pub(in crate::live) fn serialize<S: Serializer>(at: &Option<Micros>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::live) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Micros>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| parse_time(&text).map_err(D::Error::custom)).transpose()
    }
}

/// A name, which is null where it is unknown.
pub(in crate::live) mod name {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::live) fn serialize<S: Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
        if name.is_empty() { serializer.serialize_none() } else { serializer.serialize_str(name) }
    }

    pub(in crate::live) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}

/// Keys of flags.
pub(in crate::live) mod flag_keys {
    use serde::{Deserialize, Deserializer, Serializer};
    use tidegate_engine::FlagKey;

    pub(in crate::live) fn serialize<S: Serializer>(flags: &[FlagKey], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(flags.iter().map(ToString::to_string))
    }

    pub(in crate::live) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<FlagKey>, D::Error> {
        Ok(Vec::<String>::deserialize(deserializer)?.iter().map(|key| FlagKey::parse(key)).collect())
    }
}
