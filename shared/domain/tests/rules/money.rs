//! Money keeps to the minor unit, whatever is written and in whatever currency.

use proptest::prelude::*;
use recoup_domain::money::{Currency, Money, MoneyError, WrittenAmount};

/// Currencies with no, two and three decimal places.
fn currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(vec!["JPY", "EUR", "KWD"]).prop_map(|code| Currency::parse(code).unwrap())
}

/// Amounts of every magnitude, the bounds among them.
fn minor() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(Money::MINOR_MAX),
        (0_u32..16, any::<u64>()).prop_map(|(digits, some)| some % 10_u64.pow(digits).max(1)),
        0..=Money::MINOR_MAX,
    ]
}

/// What pen and paper make of an amount.
fn written(minor: u64, exponent: u32) -> String {
    let digits = format!("{minor:0width$}", width = exponent as usize + 1);
    let (major, rest) = digits.split_at(digits.len() - exponent as usize);
    if rest.is_empty() { major.to_owned() } else { format!("{major}.{rest}") }
}

proptest! {
    #[test]
    fn an_amount_is_written_with_every_decimal_place_of_its_currency(
        minor in minor(), currency in currency(),
    ) {
        let money = Money::of_minor(minor, currency).unwrap();
        prop_assert_eq!(money.decimal(), written(minor, currency.exponent()));
    }

    #[test]
    fn what_was_written_is_read_back_to_the_minor_unit(minor in minor(), currency in currency()) {
        let money = Money::of_minor(minor, currency).unwrap();
        prop_assert_eq!(Money::parse(&money.decimal(), currency), Ok(money));
        prop_assert_eq!(WrittenAmount::Major(money.decimal()).in_currency(currency), Ok(money));
        prop_assert_eq!(WrittenAmount::Minor(minor).in_currency(currency), Ok(money));
    }

    #[test]
    fn a_decimal_is_its_exact_value_or_an_error_and_never_a_rounding(
        whole in "[0-9]{1,20}", places in "[0-9]{0,6}", currency in currency(),
    ) {
        let exponent = currency.exponent() as usize;
        let text = if places.is_empty() { whole.clone() } else { format!("{whole}.{places}") };
        let exact: u128 = format!("{whole}{places:0<exponent$}").parse().unwrap();
        match Money::parse(&text, currency) {
            Ok(money) => {
                prop_assert!(places.len() <= exponent);
                prop_assert_eq!(u128::from(money.minor()), exact);
            }
            Err(MoneyError::TooPrecise { exponent: told }) => {
                prop_assert!(places.len() > exponent);
                prop_assert_eq!(told as usize, exponent);
            }
            Err(MoneyError::TooLarge) => {
                prop_assert!(places.len() > exponent || exact > u128::from(Money::MINOR_MAX));
            }
            Err(other) => prop_assert!(false, "{text} is refused as {other:?}"),
        }
    }

    #[test]
    fn one_place_too_many_is_refused_even_if_it_is_a_zero(minor in 0..=Money::MINOR_MAX / 10, currency in currency()) {
        let point = if currency.exponent() == 0 { "." } else { "" };
        let text = format!("{}{point}0", written(minor, currency.exponent()));
        let error = MoneyError::TooPrecise { exponent: currency.exponent() };
        prop_assert_eq!(Money::parse(&text, currency), Err(error));
    }

    #[test]
    fn only_digits_around_at_most_one_point_are_money(
        text in prop_oneof!["\\PC{0,12}", "[0-9.,eE+_ -]{0,12}", "[0-9]{1,3}[.][0-9]{1,2}"],
        currency in currency(),
    ) {
        if Money::parse(&text, currency).is_ok() {
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
            prop_assert!(text.bytes().filter(|byte| *byte == b'.').count() <= 1);
            prop_assert!(text.starts_with(|first: char| first.is_ascii_digit()));
            prop_assert!(text.ends_with(|last: char| last.is_ascii_digit()));
        }
    }

    #[test]
    fn less_than_nothing_is_called_negative(minor in minor(), currency in currency()) {
        let text = format!("-{}", written(minor, currency.exponent()));
        prop_assert_eq!(Money::parse(&text, currency), Err(MoneyError::Negative));
    }

    #[test]
    fn no_amount_passes_the_bound(
        minor in prop_oneof![any::<u64>(), Money::MINOR_MAX - 2..Money::MINOR_MAX + 3],
        currency in currency(),
    ) {
        let fits = minor <= Money::MINOR_MAX;
        prop_assert_eq!(Money::of_minor(minor, currency).is_ok(), fits);
        let text = written(minor, currency.exponent());
        prop_assert_eq!(Money::parse(&text, currency).is_ok(), fits);
    }

    #[test]
    fn sums_and_differences_are_exact_or_nothing(a in minor(), b in minor(), currency in currency()) {
        let (x, y) = (Money::of_minor(a, currency).unwrap(), Money::of_minor(b, currency).unwrap());
        prop_assert_eq!(x.plus(y).map(Money::minor), Some(a + b).filter(|sum| *sum <= Money::MINOR_MAX));
        prop_assert_eq!(x.minus(y).map(Money::minor), a.checked_sub(b));
        prop_assert_eq!(x.exceeds(y), x.minus(y).is_some_and(|more| !more.is_zero()));
        prop_assert_eq!(Money::sum(currency, [x, y]), x.plus(y));
    }

    #[test]
    fn two_currencies_never_mix(a in minor(), b in minor(), one in currency(), other in currency()) {
        prop_assume!(one != other);
        let (x, y) = (Money::of_minor(a, one).unwrap(), Money::of_minor(b, other).unwrap());
        prop_assert_eq!(x.plus(y), None);
        prop_assert_eq!(x.minus(y), None);
        prop_assert_eq!(Money::sum(one, [y]), None);
    }
}

#[test]
fn the_exponents_are_those_of_iso_4217() {
    for (code, exponent) in [("JPY", 0), ("EUR", 2), ("KWD", 3)] {
        assert_eq!(Currency::parse(code).unwrap().exponent(), exponent);
    }
    for no_currency in ["XAU", "eur", "EURO", ""] {
        assert_eq!(Currency::parse(no_currency), None);
    }
}

#[test]
fn money_that_moves_is_more_than_nothing() {
    let euro = Currency::parse("EUR").unwrap();
    for nothing in [WrittenAmount::Minor(0), WrittenAmount::Major("0.00".to_owned())] {
        assert_eq!(nothing.in_currency(euro), Ok(Money::zero(euro)));
        assert_eq!(nothing.positive_in(euro), Err(MoneyError::Zero));
    }
}
