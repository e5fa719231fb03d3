//! The index `by_time`: an account's refunds, and its payments, newest first. It holds keys only; what they name is read
//! from the table.

use std::collections::HashMap;
use std::fmt::Display;

use recoup_domain::ids::{PaymentId, Tenant};
use recoup_domain::or_abort::OrAbort;
use recoup_domain::time::Timestamp;
use recoup_ports::ReadError;
use recoup_ports::lists::{PaymentList, Place, RefundList, Window};

use crate::expression::text;
use crate::keys::{BY_TIME, LIST_PK, LIST_SK, list_sk, payments_of, place_in_list, refunds_of};
use crate::table::{Table, key_text, unavailable, unreadable};

/// These sort before and after every time that RFC 3339 can write.
const EARLIEST: &str = "0";
const LATEST: &str = ":";

impl RefundList for Table {
    async fn places(&self, tenant: &Tenant, window: &Window, limit: u16) -> Result<Vec<Place>, ReadError> {
        self.places_in(refunds_of(tenant), window, limit).await
    }
}

impl PaymentList for Table {
    async fn payment_places(
        &self,
        tenant: &Tenant,
        window: &Window<PaymentId>,
        limit: u16,
    ) -> Result<Vec<Place<PaymentId>>, ReadError> {
        self.places_in(payments_of(tenant), window, limit).await
    }
}

impl Table {
    /// The next places of a window of a list, newest first.
    async fn places_in<I: Display + for<'a> TryFrom<&'a str>>(
        &self,
        list: String,
        window: &Window<I>,
        limit: u16,
    ) -> Result<Vec<Place<I>>, ReadError> {
        let from = window.from.map_or(EARLIEST.to_owned(), Timestamp::rfc3339);
        // A place is its moment and then `#`, so a bare moment sorts before all places at that moment.
        let to = window.to.map_or(LATEST.to_owned(), Timestamp::rfc3339);
        let behind = window.behind.as_ref().map(list_sk);
        let upper = behind.clone().map_or(to.clone(), |behind| behind.min(to));
        if upper < from {
            return Ok(Vec::new());
        }
        // One beyond the limit: the range includes the place after which it starts.
        let values = [(":list", list), (":from", from), (":upper", upper)];
        let values = values.map(|(name, value)| (name.to_owned(), text(value)));
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(BY_TIME)
            .key_condition_expression(format!("{LIST_PK} = :list AND {LIST_SK} BETWEEN :from AND :upper"))
            .set_expression_attribute_values(Some(HashMap::from(values)))
            .scan_index_forward(false)
            .limit(i32::from(limit).saturating_add(1));
        let mut places = Vec::with_capacity(usize::from(limit));
        let mut start = None;
        // One page, unless it holds something that is not a place.
        loop {
            let page = request.clone().set_exclusive_start_key(start).send().await.map_err(unavailable)?;
            for item in page.items.unwrap_or_default() {
                let key = key_text(&item, LIST_SK);
                if Some(key) == behind.as_deref() {
                    continue;
                }
                match place_in_list(key) {
                    Some(place) => places.push(place),
                    None => drop(unreadable(key, "list_sk is not a place")),
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() || places.len() >= usize::from(limit) {
                places.truncate(usize::from(limit));
                return Ok(places);
            }
        }
    }

    /// The next entries of a list of this index, in order: `limit` of them, fewer only at the end. One that cannot be
    /// read is logged and left out.
    pub(crate) async fn listed_behind<T>(
        &self,
        list: &str,
        behind: Option<String>,
        limit: u16,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, ReadError> {
        let behind = behind.unwrap_or(EARLIEST.to_owned());
        let values = [(":list", list.to_owned()), (":behind", behind)];
        let values = values.map(|(name, value)| (name.to_owned(), text(value)));
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(BY_TIME)
            .key_condition_expression(format!("{LIST_PK} = :list AND {LIST_SK} > :behind"))
            .set_expression_attribute_values(Some(HashMap::from(values)));
        let mut entries = Vec::with_capacity(usize::from(limit));
        let mut start = None;
        loop {
            let left = usize::from(limit).saturating_sub(entries.len());
            if left == 0 {
                return Ok(entries);
            }
            let left = i32::try_from(left).or_abort("a u16 is an i32");
            let page = query.clone().limit(left).set_exclusive_start_key(start).send().await;
            let page = page.map_err(unavailable)?;
            for item in page.items.unwrap_or_default() {
                let place = key_text(&item, LIST_SK);
                match read(place) {
                    Some(entry) => entries.push(entry),
                    None => drop(unreadable(&format!("{list} {place}"), "list_sk cannot be read")),
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(entries);
            }
        }
    }
}
