//! A percentage as a program or a person gives it.

use tidegate_engine::Share;
use tidegate_engine::document::{PercentError, parse_percent};

/// A percentage: 0 to 100 with at most six decimals, exact. Made from a number, its text, or a [`Share`]; an invalid one is
/// reported when the change is sent.
///
/// ```
/// use tidegate::Percentage;
///
/// assert_eq!(Percentage::from(20).share()?, Percentage::from("20.000000").share()?);
/// assert!(Percentage::from(100.5).share().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Percentage(Result<Share, InvalidPercentage>);

/// A text or number that is not a percentage. The caller's fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` {problem}")]
#[non_exhaustive]
pub struct InvalidPercentage {
    /// As it was given.
    pub text: String,
    /// What is wrong.
    pub problem: PercentError,
}

impl Percentage {
    /// The share of keys.
    ///
    /// # Errors
    /// It was not made from a number from 0 to 100, or has more than six decimals.
    pub fn share(&self) -> Result<Share, InvalidPercentage> {
        self.0.clone()
    }

    /// The only place where a percentage is read from text.
    fn parse(text: &str) -> Self {
        let text = text.trim();
        Self(parse_percent(text).map_err(|problem| InvalidPercentage { text: text.to_owned(), problem }))
    }
}

impl From<&str> for Percentage {
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

impl From<String> for Percentage {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<i32> for Percentage {
    fn from(number: i32) -> Self {
        Self::parse(&number.to_string())
    }
}

impl From<u32> for Percentage {
    fn from(number: u32) -> Self {
        Self::parse(&number.to_string())
    }
}

impl From<u8> for Percentage {
    fn from(number: u8) -> Self {
        Self::parse(&number.to_string())
    }
}

/// The shortest decimal that reads as this number, which is what its writer meant.
impl From<f64> for Percentage {
    fn from(number: f64) -> Self {
        Self::parse(&number.to_string())
    }
}

impl From<Share> for Percentage {
    fn from(share: Share) -> Self {
        Self(Ok(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_made_from_numbers_and_texts() {
        let good =
            [(Percentage::from(20), "20"), (0.1.into(), "0.1"), (" 12.5 ".into(), "12.5"), (100_u8.into(), "100")];
        for (percentage, text) in good {
            assert_eq!(percentage.share().map(|share| share.to_string()), Ok(text.to_owned()));
        }
        let bad = [
            Percentage::from(-1),
            101.into(),
            f64::NAN.into(),
            f64::INFINITY.into(),
            0.000_000_1.into(),
            "".into(),
            "20%".into(),
        ];
        for percentage in bad {
            assert!(percentage.share().is_err(), "{percentage:?}");
        }
    }
}
