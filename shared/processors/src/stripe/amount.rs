//! Amounts as Stripe counts them, which for some currencies is not as ISO 4217 does.

use recoup_domain::money::Money;

/// An amount in the units of Stripe's API, with the currency in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeAmount {
    units: u64,
    currency: String,
}

/// How Stripe counts a currency.
enum Units {
    /// So many decimal places.
    Places(u32),
    /// Three places, of which the last must be zero.
    ThreePlacesInTens,
}

impl StripeAmount {
    /// What Stripe said.
    pub fn of_units(units: u64, currency: &str) -> Self {
        Self { units, currency: currency.to_ascii_lowercase() }
    }

    /// Exactly this money; `None` where Stripe cannot say it, or does not say clearly how.
    pub fn of(money: Money) -> Option<Self> {
        let currency = money.currency();
        let (places, in_tens) = match units_of(currency.code(), currency.exponent())? {
            Units::Places(places) => (places, false),
            Units::ThreePlacesInTens => (3, true),
        };
        let ours = currency.exponent();
        let factor = |places: u32| 10_u64.checked_pow(places);
        let units = if places >= ours {
            money.minor().checked_mul(factor(places.checked_sub(ours)?)?)?
        } else {
            exactly(money.minor(), factor(ours.checked_sub(places)?)?)?
        };
        if in_tens {
            exactly(units, 10)?;
        }
        Some(Self { units, currency: currency.code().to_ascii_lowercase() })
    }

    /// The number.
    pub fn units(&self) -> u64 {
        self.units
    }
}

fn exactly(minor: u64, divisor: u64) -> Option<u64> {
    (minor.checked_rem(divisor)? == 0).then(|| minor.checked_div(divisor)).flatten()
}

/// From <https://docs.stripe.com/currencies>. What is in none of its tables has two places there, so a
/// currency to which ISO gives another number is refused unless it is named.
fn units_of(code: &str, iso_exponent: u32) -> Option<Units> {
    match code {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => Some(Units::Places(0)),
        // "To charge 5 ISK, provide an amount value of 500": whole krónur only, which ours always are.
        "ISK" => Some(Units::Places(2)),
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => Some(Units::ThreePlacesInTens),
        // Listed among those without decimals, and again among those that take two: a factor of 100 is not
        // for us to guess.
        "UGX" => None,
        _ => (iso_exponent == 2).then_some(Units::Places(2)),
    }
}

#[cfg(test)]
mod tests {
    use recoup_domain::money::Currency;

    use super::*;

    fn units(minor: u64, currency: &str) -> Option<u64> {
        let money = Money::of_minor(minor, Currency::parse(currency).unwrap()).unwrap();
        StripeAmount::of(money).map(|amount| {
            assert_eq!(amount, StripeAmount::of_units(amount.units(), currency));
            amount.units()
        })
    }

    #[test]
    fn cents_are_cents() {
        for currency in ["EUR", "USD", "GBP", "HUF", "TWD", "CRC"] {
            assert_eq!(units(1, currency), Some(1));
            assert_eq!(units(Money::MINOR_MAX, currency), Some(Money::MINOR_MAX));
        }
    }

    #[test]
    fn currencies_without_decimals_are_counted_whole() {
        assert_eq!(units(500, "JPY"), Some(500));
        assert_eq!(units(1, "KRW"), Some(1));
    }

    #[test]
    fn an_icelandic_krona_is_a_hundred_of_stripes_units() {
        assert_eq!(units(5, "ISK"), Some(500));
    }

    #[test]
    fn an_ariary_has_two_places_here_and_none_there() {
        assert_eq!(units(500, "MGA"), Some(5));
        assert_eq!(units(520, "MGA"), None, "Stripe cannot say a fifth of an ariary");
    }

    #[test]
    fn three_decimals_end_in_zero_or_are_refused() {
        for currency in ["BHD", "JOD", "KWD", "OMR", "TND"] {
            assert_eq!(units(5_120, currency), Some(5_120));
            assert_eq!(units(5_124, currency), None);
        }
    }

    #[test]
    fn what_stripe_does_not_say_clearly_is_refused() {
        for currency in ["UGX", "IQD", "LYD", "CLF", "UYI"] {
            assert_eq!(units(100, currency), None, "{currency}");
        }
    }
}
