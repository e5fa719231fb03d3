//! A processor's word on charges, as a test chooses it; it counts how often it is asked.

#![allow(dead_code, reason = "each test binary that includes this uses its own part of it")]

use std::sync::Mutex;

use recoup_ports::charges::{Charge, ChargeQuestion, ChargeRead, ReadCharges, RefundOfCharge};
use recoup_testing::fixtures;

/// Unclear until the test says otherwise.
pub(crate) struct Charges(Mutex<(ChargeRead, u32)>, Mutex<(Option<Vec<RefundOfCharge>>, u32)>);

impl Default for Charges {
    fn default() -> Self {
        Self(Mutex::new((ChargeRead::Unclear, 0)), Mutex::default())
    }
}

impl Charges {
    /// From now on this is said.
    pub(crate) fn tell(&self, read: ChargeRead) {
        self.0.lock().unwrap().0 = read;
    }

    /// How often it was asked since this was last called.
    pub(crate) fn take_asked(&self) -> u32 {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }

    /// From now on these are the refunds of each charge.
    pub(crate) fn list(&self, refunds: Option<Vec<RefundOfCharge>>) {
        self.1.lock().unwrap().0 = refunds;
    }

    /// How often they were asked for since this was last called.
    pub(crate) fn take_listed(&self) -> u32 {
        std::mem::take(&mut self.1.lock().unwrap().1)
    }

    pub(crate) fn listed(&self) -> Option<Vec<RefundOfCharge>> {
        let mut listed = self.1.lock().unwrap();
        listed.1 = listed.1.saturating_add(1);
        listed.0.clone()
    }

    pub(crate) fn answer(&self) -> ChargeRead {
        let mut told = self.0.lock().unwrap();
        told.1 = told.1.saturating_add(1);
        told.0.clone()
    }
}

impl ReadCharges for Charges {
    async fn read_charge(&self, _: &ChargeQuestion) -> ChargeRead {
        self.answer()
    }
}

/// A charge in euros, under these names.
pub(crate) fn charge(names: &[&str], captured: u64, refunded: u64) -> ChargeRead {
    ChargeRead::Found(Box::new(Charge {
        names: names.iter().map(|name| fixtures::text(name)).collect(),
        currency: fixtures::euro(),
        captured_minor: captured,
        refunded_minor: refunded,
        disputed: false,
        destination: None,
        transfer: None,
        on_behalf_of: None,
        application_fee: None,
    }))
}
