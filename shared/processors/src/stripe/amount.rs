//! Amounts as Stripe counts them, which for some currencies is not as ISO 4217 does.

use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::ProcessorName;

use crate::Cannot;

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
        let units = units_of(currency)?;
        let amount = with_places(money.minor(), currency.exponent(), units.places())?;
        exactly(amount, units.least())?;
        Some(Self { units: amount, currency: currency.code().to_ascii_lowercase() })
    }

    /// Exactly the money that this is, the way back from [`StripeAmount::of`]; `None` where our minor units cannot
    /// say it, or Stripe does not say clearly how it counts. It may be more precise than what can be asked of
    /// Stripe: what should not be there is told as it is.
    pub fn money(&self) -> Option<Money> {
        let currency = Currency::parse(&self.currency.to_ascii_uppercase())?;
        let places = units_of(currency)?.places();
        Money::of_minor(with_places(self.units, places, currency.exponent())?, currency).ok()
    }

    /// The number.
    pub fn units(&self) -> u64 {
        self.units
    }
}

/// Whether Stripe can give back exactly this. It has a least amount for charges, and none for refunds.
pub(crate) fn takes(amount: Money) -> Result<(), Cannot> {
    let (processor, currency) = (ProcessorName::Stripe, amount.currency());
    let units = units_of(currency).ok_or(Cannot::Currency { processor, currency })?;
    if StripeAmount::of(amount).is_some() {
        return Ok(());
    }
    let least = with_places(units.least(), units.places(), currency.exponent()).unwrap_or(1);
    let of = Money::of_minor(least, currency).unwrap_or(amount);
    Err(Cannot::Amount { processor, of })
}

impl Units {
    fn places(&self) -> u32 {
        match self {
            Self::Places(places) => *places,
            Self::ThreePlacesInTens => 3,
        }
    }

    /// The amount of which every other is a multiple.
    fn least(&self) -> u64 {
        match self {
            Self::Places(_) => 1,
            Self::ThreePlacesInTens => 10,
        }
    }
}

/// The same amount, written with another number of decimal places.
fn with_places(amount: u64, from: u32, to: u32) -> Option<u64> {
    let factor = 10_u64.checked_pow(from.abs_diff(to))?;
    if to >= from { amount.checked_mul(factor) } else { exactly(amount, factor) }
}

fn exactly(minor: u64, divisor: u64) -> Option<u64> {
    (minor.checked_rem(divisor)? == 0).then(|| minor.checked_div(divisor)).flatten()
}

/// From <https://docs.stripe.com/currencies>. What is in none of its tables has two places there, so a
/// currency to which ISO gives another number is refused unless it is named.
fn units_of(currency: Currency) -> Option<Units> {
    match currency.code() {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => Some(Units::Places(0)),
        // "To charge 5 ISK, provide an amount value of 500": whole krónur only, which ours always are. It says the same of
        // UGX, which the list of those without decimals names as well: the special case is meant for it.
        "ISK" | "UGX" => Some(Units::Places(2)),
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => Some(Units::ThreePlacesInTens),
        _ => (currency.exponent() == 2).then_some(Units::Places(2)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of each way to count, and those that are refused.
    const CURRENCIES: [&str; 9] = ["EUR", "HUF", "JPY", "ISK", "MGA", "KWD", "TND", "UGX", "IQD"];
    /// As published: the currencies without decimal places, but for the special case of UGX.
    const WHOLE: [&str; 15] = [
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF",
        "XPF",
    ];
    const THREE_PLACES: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

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
        for currency in WHOLE.into_iter().filter(|currency| *currency != "MGA") {
            assert_eq!(units(500, currency), Some(500), "{currency}");
        }
    }

    #[test]
    fn a_krona_and_a_shilling_are_a_hundred_of_stripes_units() {
        assert_eq!((units(5, "ISK"), units(500, "UGX")), (Some(500), Some(50_000)));
    }

    #[test]
    fn an_ariary_has_two_places_here_and_none_there() {
        assert_eq!(units(500, "MGA"), Some(5));
        assert_eq!(units(520, "MGA"), None, "Stripe cannot say a fifth of an ariary");
    }

    #[test]
    fn three_decimals_end_in_zero_or_are_refused() {
        for currency in THREE_PLACES {
            assert_eq!(units(5_120, currency), Some(5_120));
            assert_eq!(units(5_124, currency), None);
        }
    }

    #[test]
    fn what_stripe_does_not_say_clearly_is_refused() {
        for currency in ["IQD", "LYD", "CLF", "UYI"] {
            assert_eq!(units(100, currency), None, "{currency}");
        }
    }

    #[test]
    fn what_stripe_cannot_do_is_said_with_the_currency_or_the_multiple() {
        let said = |minor, currency| {
            let currency = Currency::parse(currency).unwrap();
            takes(Money::of_minor(minor, currency).unwrap()).map_err(|cannot| cannot.to_string())
        };
        for currency in WHOLE.into_iter().chain(THREE_PLACES).chain(["EUR", "HUF", "TWD", "ISK", "UGX"]) {
            assert_eq!(said(500, currency), Ok(()), "{currency}");
        }
        assert_eq!(said(1, "EUR"), Ok(()), "a refund has no least amount");
        for (minor, currency, expected) in [
            (500, "LYD", "The processor, stripe, makes no refunds in LYD."),
            (5_124, "KWD", "The processor, stripe, refunds KWD only in multiples of 0.010."),
            (520, "MGA", "The processor, stripe, refunds MGA only in multiples of 1.00."),
        ] {
            assert_eq!(said(minor, currency), Err(expected.to_owned()));
        }
    }

    fn back(units: u64, currency: &str) -> Option<u64> {
        let money = StripeAmount::of_units(units, currency).money()?;
        assert_eq!(money.currency().code(), currency);
        Some(money.minor())
    }

    #[test]
    fn what_stripe_says_is_told_exactly_or_not_at_all() {
        assert_eq!(back(1, "EUR"), Some(1));
        assert_eq!(back(500, "JPY"), Some(500));
        assert_eq!((back(500, "ISK"), back(550, "ISK")), (Some(5), None), "half a króna is none of ours");
        assert_eq!((back(500, "UGX"), back(550, "UGX")), (Some(5), None));
        assert_eq!(back(5, "MGA"), Some(500));
        assert_eq!((back(5_120, "KWD"), back(5_124, "KWD")), (Some(5_120), Some(5_124)));
        assert_eq!(
            (back(Money::MINOR_MAX, "EUR"), back(Money::MINOR_MAX + 1, "EUR")),
            (Some(Money::MINOR_MAX), None)
        );
        assert_eq!(back(u64::MAX, "MGA"), None);
        for currency in ["IQD", "LYD", "CLF", "XAU", "ZZZ", "", "é€"] {
            assert_eq!(back(100, currency), None, "{currency}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn there_and_back_is_the_same_money(
            // In hundreds, too: only those can be said in every currency.
            minor in 0..=Money::MINOR_MAX,
            in_hundreds in any::<bool>(),
            currency in prop::sample::select(&CURRENCIES[..]),
        ) {
            let minor = if in_hundreds { minor.saturating_sub(minor % 100) } else { minor };
            let money = Money::of_minor(minor, Currency::parse(currency).unwrap()).unwrap();
            let there = StripeAmount::of(money);
            prop_assert_eq!(there.as_ref().and_then(StripeAmount::money), there.as_ref().map(|_| money));
            prop_assert!(there.is_some() || minor % 100 != 0 || currency == "IQD");
        }

        #[test]
        fn back_and_there_is_the_same_amount(
            units in prop_oneof![any::<u64>(), 0..=2 * Money::MINOR_MAX],
            currency in prop::sample::select(&CURRENCIES[..]),
        ) {
            let amount = StripeAmount::of_units(units, currency);
            if let Some(there) = amount.money().and_then(StripeAmount::of) {
                prop_assert_eq!(there, amount);
            }
        }
    }
}
