//! Taking the actors' parts at Stripe: reversals of transfers, and refunds of application fees.

use futures_util::future::join_all;
use http::{HeaderValue, Method, Request};
use recoup_domain::recovery::{Part, PartState, Taken};
use recoup_domain::refund::{FailureCode, Refund, State};
use recoup_domain::text::Text;
use recoup_ports::processor_keys::ProcessorKeys;
use recoup_processors::stripe::{
    ChargeOfRefund, PartOrder, Source, StripeKey, StripePart, StripeParts, is_name,
};
use tokio::time::timeout;
use url::form_urlencoded::Serializer;

use super::{No, PAGE_SIZE, PAGES_MAX, Stripe};
use crate::unclear::Unclear;
use crate::wordless::Wordless;

/// Parts of one refund that are asked for at once.
const PARTS_AT_ONCE: usize = 10;

/// What Stripe's books say about a part.
enum Found {
    Part(StripePart),
    Nothing,
    NoAnswer(Wordless),
}

impl<K: ProcessorKeys + Sync> Stripe<K> {
    /// Each open part, within the time of one question; those for which there was none are not in the answer.
    pub(super) async fn recover_parts(&self, refund: &Refund) -> Vec<(usize, Taken)> {
        let open: Vec<&Part> = refund.open_parts().collect();
        let mut answers = Vec::new();
        let asked = async {
            let key = self.key(Unclear::of("stripe", refund)).await?;
            for some in open.chunks(PARTS_AT_ONCE) {
                let taken = join_all(some.iter().map(|part| self.take(&key, refund, part))).await;
                answers.extend(some.iter().map(|part| part.position).zip(taken));
                if answers.iter().any(|(_, taken)| matches!(taken, Taken::Unknown | Taken::Busy { .. })) {
                    break;
                }
            }
            Ok(())
        };
        let answered = timeout(self.time_limit, asked).await.unwrap_or_else(|_| {
            Unclear::of("stripe", refund).late();
            Err(Wordless::Unknown)
        });
        if let Err(why) = answered {
            answers.extend(open.first().map(|part| (part.position, why.into())));
        }
        answers
    }

    async fn take(&self, key: &StripeKey, refund: &Refund, part: &Part) -> Taken {
        let kind = Source::of(refund);
        let Some(order) = PartOrder::of(refund, part.position) else { return Taken::Refused };
        let source = match order.source.clone() {
            Some(source) => source,
            None => match self.source(key, refund, kind).await {
                Ok(Some(source)) => source,
                Ok(None) => return Taken::Refused,
                Err(taken) => return taken,
            },
        };
        if !is_name(source.as_str()) {
            return Taken::Refused;
        }
        let path = kind.path(source.as_str());
        let is_new = part.state == PartState::Open { refusals: 0, asked_at: None };
        let is_to_be_taken = refund.version.state == State::Succeeded;
        // Stripe forgets idempotency keys after a day, and what was taken must be found whoever asks.
        if !(is_new && is_to_be_taken) {
            match self.find_part(key, refund, &order, &path).await {
                Found::Part(found) => return taken(refund, &order, &found),
                Found::Nothing if is_to_be_taken => {}
                Found::Nothing => return Taken::No,
                Found::NoAnswer(why) => return why.into(),
            }
        }
        match self.post_part(key, refund, &order, &path).await {
            Ok(found) => taken(refund, &order, &found),
            Err(No::Word(why)) => why.into(),
            // Perhaps the account's key is another Stripe account's now.
            Err(No::SuchPayment(_)) => Taken::Unknown,
            Err(No::Refused(failure)) => match self.find_part(key, refund, &order, &path).await {
                Found::Part(found) => taken(refund, &order, &found),
                Found::Nothing if failure.code == FailureCode::InsufficientFunds => Taken::Short,
                Found::Nothing => Taken::Refused,
                Found::NoAnswer(why) => why.into(),
            },
        }
    }

    /// What the charge's part is taken back from, as Stripe says it; none where the charge was made without.
    async fn source(
        &self,
        key: &StripeKey,
        refund: &Refund,
        kind: Source,
    ) -> Result<Option<Text<255>>, Taken> {
        let unclear = Unclear::of("stripe", refund);
        let name = refund.version.processor_reference.as_ref().filter(|name| is_name(name.as_str()));
        let path = format!("v1/refunds/{}?expand%5B%5D=charge", name.ok_or(Taken::Unknown)?.as_str());
        let request = for_account(
            self.request(key, Method::GET, &path, String::new()),
            refund.processor.account.as_ref(),
        );
        let found = self.ask(unclear, request, ChargeOfRefund::parse).await;
        let found = found.map_err(|no| wordless(&no))?;
        Ok(found.source(kind))
    }

    async fn post_part(
        &self,
        key: &StripeKey,
        refund: &Refund,
        order: &PartOrder,
        path: &str,
    ) -> Result<StripePart, No> {
        let unclear = Unclear::of("stripe", refund);
        let request = self.post_request(key, path, &order.key, &order.parameters());
        self.ask(unclear, request, StripePart::parse).await
    }

    /// The part that carries our names, among all that were taken of its transfer or fee.
    async fn find_part(&self, key: &StripeKey, refund: &Refund, order: &PartOrder, path: &str) -> Found {
        let unclear = Unclear::of("stripe", refund);
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let request = self.request(key, Method::GET, &page_of(path, after.as_deref()), String::new());
            let page = self.ask(unclear, request, StripeParts::parse).await;
            let page = match page {
                Ok(page) => page,
                Err(no) => return Found::NoAnswer(wordless(&no)),
            };
            let next = page.data.last().map(|last: &StripePart| last.id.clone());
            if let Some(found) = page.data.into_iter().find(|found| found.is_of(refund, order)) {
                return Found::Part(found);
            }
            match next {
                _ if !page.has_more => return Found::Nothing,
                Some(next) if is_name(&next) => after = Some(next),
                _ => break,
            }
        }
        unclear.unread("the transfer has more reversals than are read");
        Found::NoAnswer(Wordless::Unknown)
    }
}

/// Of a look-up, a refusal says nothing.
fn wordless(no: &No) -> Wordless {
    match no {
        No::Word(why) => *why,
        No::Refused(_) | No::SuchPayment(_) => Wordless::Unknown,
    }
}

fn page_of(path: &str, after: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("limit", &PAGE_SIZE.to_string());
    query.extend_pairs(after.map(|after| ("starting_after", after)));
    format!("{path}?{}", query.finish())
}

/// What Stripe's part means for ours.
fn taken(refund: &Refund, order: &PartOrder, found: &StripePart) -> Taken {
    let taken = if found.is_of(refund, order) { found.taken(order) } else { Taken::Unknown };
    if taken == Taken::Unknown {
        Unclear::of("stripe", refund).other();
    }
    taken
}

/// The same request to the merchant's account, if the payment was made in it.
pub(super) fn for_account(
    request: Result<Request<String>, http::Error>,
    account: Option<&Text<255>>,
) -> Result<Request<String>, http::Error> {
    let mut request = request?;
    if let Some(account) = account {
        request.headers_mut().insert("stripe-account", HeaderValue::from_str(account.as_str())?);
    }
    Ok(request)
}
