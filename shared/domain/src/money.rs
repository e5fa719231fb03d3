//! Money: a whole number of minor units in one currency, never a float, never rounded.

use rust_decimal::Decimal;
use thiserror::Error;

pub use crate::currency::Currency;

/// Why a text or number is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Neither a whole number of minor units nor a plain decimal.
    #[error("must be an integer in minor units or a decimal string in major units")]
    Malformed,
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// Zero where money has to move.
    #[error("must be greater than zero")]
    Zero,
    /// More than [`Money::MINOR_MAX`].
    #[error("must be at most 1000000000000000 minor units")]
    TooLarge,
    /// More decimal places written than the currency has, even if they are zeros.
    #[error("must have at most {exponent} decimal places")]
    TooPrecise {
        /// Decimal places the currency has.
        exponent: u32,
    },
}

/// An amount of money from zero to [`Money::MINOR_MAX`] minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    minor: u64,
    currency: Currency,
}

impl Money {
    /// The most minor units one amount may have: 10^15, well within what DynamoDB and JSON numbers keep exactly.
    pub const MINOR_MAX: u64 = 1_000_000_000_000_000;

    /// Zero, in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// An amount in minor units.
    pub fn of_minor(minor: u64, currency: Currency) -> Result<Self, MoneyError> {
        if minor > Self::MINOR_MAX {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self { minor, currency })
    }

    /// A plain decimal in major units: digits, and after a point at most as many digits as the currency has.
    ///
    /// `"10.505"` EUR is an error, never rounded; so is `"10.000"`, because a caller who writes three places may mean
    /// another currency.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        if text.starts_with('-') {
            return Err(MoneyError::Negative);
        }
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if !plain || text.starts_with('.') || text.ends_with('.') {
            return Err(MoneyError::Malformed);
        }
        let mut decimal = Decimal::from_str_exact(text).map_err(|error| match error {
            rust_decimal::Error::ExceedsMaximumPossibleValue => MoneyError::TooLarge,
            rust_decimal::Error::Underflow | rust_decimal::Error::ScaleExceedsMaximumPrecision(_) => {
                MoneyError::TooPrecise { exponent: currency.exponent() }
            }
            _ => MoneyError::Malformed,
        })?;
        if decimal.scale() > currency.exponent() {
            return Err(MoneyError::TooPrecise { exponent: currency.exponent() });
        }
        decimal.rescale(currency.exponent());
        if decimal.scale() != currency.exponent() {
            return Err(MoneyError::TooLarge);
        }
        let minor = u64::try_from(decimal.mantissa()).map_err(|_| MoneyError::TooLarge)?;
        Self::of_minor(minor, currency)
    }

    /// The amount in minor units.
    pub fn minor(self) -> u64 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The amount in major units, with every decimal place of the currency: `"15.00"`.
    pub fn decimal(self) -> String {
        Decimal::from_i128_with_scale(i128::from(self.minor), self.currency.exponent()).to_string()
    }

    /// The sum; `None` past the bound or between two currencies.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        Self::of_minor(self.minor.checked_add(other.minor)?, self.currency).ok()
    }

    /// The difference; `None` below zero or between two currencies.
    pub fn minus(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let minor = self.minor.checked_sub(other.minor)?;
        Some(Self { minor, currency: self.currency })
    }

    /// Whether this is more than `other` of the same currency.
    pub fn exceeds(self, other: Self) -> bool {
        self.minor > other.minor
    }

    /// The sum of many; `None` past the bound or between two currencies.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }
}

/// An amount as a caller wrote it, before its currency is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenAmount {
    /// A JSON integer: minor units.
    Minor(u64),
    /// A JSON string: major units.
    Major(String),
}

impl WrittenAmount {
    /// The amount in a currency; zero is allowed (see [`WrittenAmount::positive_in`]).
    pub fn in_currency(&self, currency: Currency) -> Result<Money, MoneyError> {
        match self {
            Self::Minor(minor) => Money::of_minor(*minor, currency),
            Self::Major(text) => Money::parse(text, currency),
        }
    }

    /// The amount in a currency, where money has to move: zero is an error.
    pub fn positive_in(&self, currency: Currency) -> Result<Money, MoneyError> {
        let money = self.in_currency(currency)?;
        if money.is_zero() { Err(MoneyError::Zero) } else { Ok(money) }
    }
}
