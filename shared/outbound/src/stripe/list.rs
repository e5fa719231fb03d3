//! Stripe's own list of what it refunded for a tenant, over all of its payments.

use std::time::Duration;

use http::Method;
use recoup_domain::ids::Tenant;
use recoup_domain::refund::Outcome;
use recoup_domain::time::Timestamp;
use recoup_ports::processor::{Listed, Listing};
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::stripe::{StripeKey, StripeRefunds, is_name};
use tokio::time::timeout;
use url::form_urlencoded::Serializer;

use super::{No, PAGE_SIZE, Stripe};
use crate::unclear::Unclear;

/// The whole list takes no longer, and none of its questions longer than any other.
const TIME_LIMIT: Duration = Duration::from_mins(1);
/// A longer list is not read to its end, and so says nothing.
const PAGES_MAX: usize = 200;
/// How far Stripe's clock may be behind ours.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);
/// Refunds that say nothing, of which the log tells.
const TOLD_MAX: usize = 20;

impl<K: ProcessorKeys + Sync> Stripe<K> {
    /// Whole, or unclear: half a list would make refunds look as if Stripe had lost them.
    pub(super) async fn list_since(&self, tenant: &Tenant, from: Timestamp) -> Listing {
        let unclear = Unclear::list("stripe", tenant);
        let pages = in_time(unclear, TIME_LIMIT, self.pages(unclear, tenant, from));
        let Some(listed) = pages.await else { return Listing::Unclear };
        let says_nothing = listed.iter().filter(|one| one.outcome == Outcome::Unknown);
        says_nothing.take(TOLD_MAX).for_each(|one| unclear.about(&one.refund).other());
        Listing::Whole(listed)
    }

    async fn pages(&self, unclear: Unclear<'_>, tenant: &Tenant, from: Timestamp) -> Option<Vec<Listed>> {
        let key = in_time(unclear, self.time_limit, async { self.key(unclear).await.ok() }).await?;
        let mut listed = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let path = path(from, after.as_deref());
            let page = in_time(unclear, self.time_limit, self.list_page(unclear, &key, &path)).await?;
            if !page.data.iter().all(|found| is_name(&found.id)) {
                unclear.unread("the list has a refund whose name is none");
                return None;
            }
            listed.extend(page.data.iter().filter_map(|found| found.listed(tenant)));
            match page.data.last() {
                _ if !page.has_more => return Some(listed),
                Some(last) => after = Some(last.id.clone()),
                None => {
                    unclear.unread("the list has more refunds, and does not show them");
                    return None;
                }
            }
        }
        unclear.unread("the list has more refunds than are read");
        None
    }

    async fn list_page(&self, unclear: Unclear<'_>, key: &StripeKey, path: &str) -> Option<StripeRefunds> {
        let request = self.request(key, Method::GET, path, String::new());
        match self.ask(unclear, request, StripeRefunds::parse).await {
            Ok(page) => Some(page),
            Err(No::Word(_)) => None,
            Err(No::Refused(_) | No::SuchPayment(_)) => {
                unclear.unread("it gives no list");
                None
            }
        }
    }
}

async fn in_time<T>(
    unclear: Unclear<'_>,
    limit: Duration,
    asked: impl Future<Output = Option<T>>,
) -> Option<T> {
    timeout(limit, asked).await.unwrap_or_else(|_| {
        unclear.late();
        None
    })
}

fn path(from: Timestamp, after: Option<&str>) -> String {
    let seconds = from.minus(CLOCKS_DIFFER).unix_seconds();
    let mut query = Serializer::new(String::new());
    query.append_pair("created[gte]", &seconds.to_string());
    query.append_pair("limit", &PAGE_SIZE.to_string());
    if let Some(after) = after {
        query.append_pair("starting_after", after);
    }
    format!("v1/refunds?{}", query.finish())
}
