//! How an amount is divided among the actors of a payment: the platform and its merchants.

use thiserror::Error;

use crate::ids::ActorId;
use crate::money::{Currency, Money};

/// The platform or a merchant: whoever has a part in a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The platform itself.
    Platform,
    /// One of its merchants.
    Merchant(ActorId),
}

/// One merchant's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerchantPart {
    /// The merchant.
    pub account: ActorId,
    /// The merchant's part; may be zero.
    pub amount: Money,
}

/// Why parts do not make a split.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SplitError {
    /// A merchant is named twice.
    #[error("names {0} twice")]
    Twice(ActorId),
    /// More than [`Split::MERCHANTS_MAX`].
    #[error("has more than 50 merchants")]
    TooMany,
    /// The sum passes the bound of [`Money`], or currencies are mixed.
    #[error("adds up to more than 1000000000000000 minor units")]
    TooLarge,
}

/// An amount divided among the platform and its merchants, each named once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    platform: Money,
    merchants: Vec<MerchantPart>,
    total: Money,
}

impl Split {
    /// The most merchants in one payment; keeps an update within DynamoDB's expression limits.
    pub const MERCHANTS_MAX: usize = 50;

    /// The split that these parts make.
    pub fn new(platform: Money, merchants: Vec<MerchantPart>) -> Result<Self, SplitError> {
        if merchants.len() > Self::MERCHANTS_MAX {
            return Err(SplitError::TooMany);
        }
        for (index, part) in merchants.iter().enumerate() {
            if merchants.iter().skip(index.saturating_add(1)).any(|other| other.account == part.account) {
                return Err(SplitError::Twice(part.account.clone()));
            }
        }
        let parts = merchants.iter().map(|part| part.amount).chain([platform]);
        let total = Money::sum(platform.currency(), parts).ok_or(SplitError::TooLarge)?;
        Ok(Self { platform, merchants, total })
    }

    /// The platform's part.
    pub fn platform(&self) -> Money {
        self.platform
    }

    /// The merchants' parts, in the order they were given.
    pub fn merchants(&self) -> &[MerchantPart] {
        &self.merchants
    }

    /// The sum of all parts.
    pub fn total(&self) -> Money {
        self.total
    }

    /// The currency of every part.
    pub fn currency(&self) -> Currency {
        self.total.currency()
    }

    /// A merchant's part, if the split names the merchant.
    pub fn of(&self, merchant: &ActorId) -> Option<Money> {
        self.merchants.iter().find(|part| &part.account == merchant).map(|part| part.amount)
    }

    /// Every actor with its part, the platform first.
    pub fn parts(&self) -> impl Iterator<Item = (Actor, Money)> {
        let merchants =
            self.merchants.iter().map(|part| (Actor::Merchant(part.account.clone()), part.amount));
        std::iter::once((Actor::Platform, self.platform)).chain(merchants)
    }

    /// An actor's part; zero for an actor that the split does not name.
    pub fn part_of(&self, actor: &Actor) -> Money {
        match actor {
            Actor::Platform => self.platform,
            Actor::Merchant(id) => self.of(id).unwrap_or(Money::zero(self.currency())),
        }
    }

    /// What is left of each part after `taken`; `None` if an actor has less or is not in this split.
    pub fn minus(&self, taken: &Self) -> Option<Self> {
        self.combine(taken, Money::minus)
    }

    /// Each part with the amount in `given` added; `None` if an actor is not in this split.
    pub fn plus(&self, given: &Self) -> Option<Self> {
        self.combine(given, Money::plus)
    }

    /// Takes `amount` from every part in proportion to it, exactly: each part gives its share rounded down,
    /// and the minor units left over are taken by the largest remainders, earlier actors first.
    ///
    /// No part gives more than it has. `None` if `amount` is more than the total.
    pub fn proportional(&self, amount: Money) -> Option<Self> {
        if amount.exceeds(self.total) || amount.currency() != self.currency() {
            return None;
        }
        let total = u128::from(self.total.minor()).max(1);
        let weighed: Vec<(u64, u128)> = self
            .parts()
            .map(|(_, part)| {
                // Two amounts of at most 10^15 multiply to far less than 2^128.
                let product = u128::from(part.minor()).checked_mul(u128::from(amount.minor()))?;
                Some((u64::try_from(product.checked_div(total)?).ok()?, product.checked_rem(total)?))
            })
            .collect::<Option<_>>()?;
        let given = weighed.iter().try_fold(0_u64, |sum, (share, _)| sum.checked_add(*share))?;
        let left_over = usize::try_from(amount.minor().checked_sub(given)?).ok()?;
        let mut order: Vec<usize> = (0..weighed.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(weighed.get(*index).map(|(_, remainder)| *remainder)));
        let favoured = order.get(..left_over)?;
        let share = |index: usize| {
            let (share, _) = weighed.get(index)?;
            let more = u64::from(favoured.contains(&index));
            Money::of_minor(share.checked_add(more)?, self.currency()).ok()
        };
        let merchants = self.merchants.iter().enumerate().map(|(index, part)| {
            let amount = share(index.checked_add(1)?)?;
            Some(MerchantPart { account: part.account.clone(), amount })
        });
        Self::new(share(0)?, merchants.collect::<Option<_>>()?).ok()
    }

    fn combine(&self, other: &Self, with: fn(Money, Money) -> Option<Money>) -> Option<Self> {
        if other.merchants.iter().any(|part| self.of(&part.account).is_none()) {
            return None;
        }
        let platform = with(self.platform, other.platform)?;
        let merchants = self.merchants.iter().map(|part| {
            // An actor that the other does not name keeps its part.
            let change = other.of(&part.account).unwrap_or(Money::zero(other.currency()));
            Some(MerchantPart { account: part.account.clone(), amount: with(part.amount, change)? })
        });
        Self::new(platform, merchants.collect::<Option<_>>()?).ok()
    }
}
