//! Currencies: those in force, and withdrawn ones that older payments may be in.

use crate::or_abort::OrAbort;
use crate::text_form::text_form;

/// Codes that ISO 4217 has withdrawn, with the decimal places they had.
///
/// The codes are those of the standard's list three (historic denominations), which gives no decimal places. These are
/// those the standard gave while a code was in force, as the JDK's currency data keep them. Codes withdrawn before such
/// data were kept are absent: no payment was ever registered in them. When a code is withdrawn, add it here, whatever
/// `iso_currency` does with it: stored money stays readable, and nothing new is registered in that currency.
#[rustfmt::skip]
const WITHDRAWN: [(&str, u32); 54] = [
    ("ADP", 0), ("AFA", 2), ("ANG", 2), ("ATS", 2), ("AYM", 2), ("AZM", 2), ("BEF", 0), ("BGL", 2),
    ("BGN", 2), ("BYB", 0), ("BYR", 0), ("CSD", 2), ("CUC", 2), ("CYP", 2), ("DEM", 2), ("EEK", 2),
    ("ESP", 0), ("FIM", 2), ("FRF", 2), ("GHC", 2), ("GRD", 0), ("GWP", 2), ("HRK", 2), ("IEP", 2),
    ("ITL", 0), ("LTL", 2), ("LUF", 0), ("LVL", 2), ("MGF", 0), ("MRO", 2), ("MTL", 2), ("MZM", 2),
    ("NLG", 2), ("PTE", 0), ("ROL", 0), ("RUR", 2), ("SDD", 2), ("SIT", 2), ("SKK", 2), ("SLL", 2),
    ("SRG", 2), ("STD", 2), ("TMM", 2), ("TPE", 0), ("TRL", 0), ("USS", 2), ("VEB", 2), ("VEF", 2),
    ("YUM", 2), ("ZMK", 2), ("ZWD", 2), ("ZWL", 2), ("ZWN", 2), ("ZWR", 2),
];

/// An ISO 4217 currency that has, or had, minor units (`XAU` and its like have none and cannot be refunded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Current(iso_currency::Currency),
    /// The position in [`WITHDRAWN`]: one byte, so that `Money` stays small.
    Withdrawn(u8),
    Unknown,
}

/// ISO 4217's code for no currency.
const UNKNOWN: &str = "XXX";

text_form!([] Currency, this => this.code(), text => Self::parse(&text).ok_or("unknown Currency"));

impl Currency {
    /// That of a payment whose currency its processor has yet to tell: XXX, without decimal places.
    pub const UNKNOWN: Self = Self(Kind::Unknown);

    /// Reads a three-letter upper-case code, in force or withdrawn: for stored money, and for what refers to it.
    pub fn parse(code: &str) -> Option<Self> {
        if let Ok(position) = WITHDRAWN.binary_search_by(|(withdrawn, _)| (*withdrawn).cmp(code)) {
            let position = u8::try_from(position).or_abort("the table is shorter than 256");
            return Some(Self(Kind::Withdrawn(position)));
        }
        if code == UNKNOWN {
            return Some(Self::UNKNOWN);
        }
        let currency = iso_currency::Currency::from_code(code)?;
        currency.exponent().map(|_| Self(Kind::Current(currency)))
    }

    /// Whether the currency is in force. A new payment must be in such a currency.
    pub fn is_current(self) -> bool {
        matches!(self.0, Kind::Current(_))
    }

    /// The three-letter code, `EUR`.
    pub fn code(self) -> &'static str {
        match self.0 {
            Kind::Current(currency) => currency.code(),
            Kind::Withdrawn(position) => withdrawn(position).0,
            Kind::Unknown => UNKNOWN,
        }
    }

    /// Decimal places of an amount in major units: JPY 0, EUR 2, KWD 3.
    pub fn exponent(self) -> u32 {
        match self.0 {
            Kind::Current(currency) => {
                currency.exponent().or_abort("a currency without minor units is not read").into()
            }
            Kind::Withdrawn(position) => withdrawn(position).1,
            Kind::Unknown => 0,
        }
    }
}

fn withdrawn(position: u8) -> (&'static str, u32) {
    *WITHDRAWN.get(usize::from(position)).or_abort("the position was found in the table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_withdrawn_currency_is_found_and_keeps_its_decimal_places() {
        assert!(WITHDRAWN.is_sorted(), "it is searched by halves");
        for (code, exponent) in WITHDRAWN {
            let currency = Currency::parse(code).unwrap();
            assert_eq!(
                (currency.code(), currency.exponent(), currency.is_current()),
                (code, exponent, false)
            );
        }
        for (code, exponent) in [("ANG", 2), ("BGN", 2), ("HRK", 2), ("DEM", 2), ("ITL", 0), ("BYR", 0)] {
            assert_eq!(Currency::parse(code).map(Currency::exponent), Some(exponent), "{code}");
        }
    }

    #[test]
    fn the_crate_and_the_table_agree_on_decimal_places() {
        for (code, exponent) in WITHDRAWN {
            let known = iso_currency::Currency::from_code(code).and_then(iso_currency::Currency::exponent);
            assert!(known.is_none_or(|known| u32::from(known) == exponent), "{code}");
        }
    }

    #[test]
    fn a_currency_in_force_is_current_and_what_is_none_is_not_read() {
        for code in ["EUR", "JPY", "KWD", "XCG", "SLE", "ZWG", "VES"] {
            assert!(Currency::parse(code).is_some_and(Currency::is_current), "{code}");
        }
        for none in ["", "eur", "XAU", "XTS", "ANGX", "AN"] {
            assert_eq!(Currency::parse(none), None, "{none}");
        }
        assert_eq!(Currency::parse("XXX"), Some(Currency::UNKNOWN));
        assert!(!Currency::UNKNOWN.is_current(), "nothing is registered in it");
    }
}
