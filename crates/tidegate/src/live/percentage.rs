//! A percentage as a program or a person gives it.

use tidegate_engine::Share;
use tidegate_engine::document::{PercentError, parse_percent};

/// A percentage: 0 to 100 with at most six decimals, exact. Made from a number or its text; what is none is told when
/// the change is sent.
///
/// ```
/// use tidegate::Percentage;
///
/// assert_eq!(Percentage::from(20).share()?, Percentage::from("20.000000").share()?);
/// assert!(Percentage::from(100.5).share().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Percentage(String);

impl Percentage {
    /// The share that it stands for.
    ///
    /// # Errors
    /// It is no number from 0 to 100, or has more than six decimals.
    pub fn share(&self) -> Result<Share, PercentError> {
        parse_percent(&self.0)
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Percentage {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl From<String> for Percentage {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<i32> for Percentage {
    fn from(number: i32) -> Self {
        Self(number.to_string())
    }
}

impl From<u32> for Percentage {
    fn from(number: u32) -> Self {
        Self(number.to_string())
    }
}

impl From<u8> for Percentage {
    fn from(number: u8) -> Self {
        Self(number.to_string())
    }
}

/// The shortest decimal that reads as this number, which is what its writer had in mind.
impl From<f64> for Percentage {
    fn from(number: f64) -> Self {
        Self(number.to_string())
    }
}

impl From<Share> for Percentage {
    fn from(share: Share) -> Self {
        Self(share.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_percentage_is_made_from() {
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
