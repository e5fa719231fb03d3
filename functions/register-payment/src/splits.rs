//! Who captured a payment, how it was routed, and how that split is carried out when it is refunded.

use recoup_domain::ids::{ActorId, Environment};
use recoup_domain::money::Money;
use recoup_domain::payment::{Payment, Processor, ProcessorName, Terms};
use recoup_domain::recovery::{Shape, SplitTerms};
use recoup_domain::split::{MerchantPart, Split};
use recoup_domain::text::Text;
use recoup_http::fields::{Entry, invalid};
use recoup_http::problem::{Code, Problem};
use recoup_processors::{BadReference, shape, stripe};

use crate::body::money;

/// A routing, and the transfers by which its merchants were paid.
#[derive(Debug)]
pub(crate) struct WantedRouting {
    pub(crate) split: Split,
    transfers: Vec<(ActorId, Text<255>)>,
}

/// A processor; `None` where nothing is said.
#[derive(Clone, Debug)]
pub(crate) struct WantedProcessor {
    pub(crate) name: ProcessorName,
    pub(crate) reference: Text<255>,
    pub(crate) account: Option<Text<255>>,
    /// One of [`Shape::SAID`].
    pub(crate) split: Option<&'static str>,
}

impl WantedRouting {
    /// What is omitted stays as it was.
    pub(crate) fn agrees_with(&self, terms: &Terms) -> bool {
        let fixed = terms.processor.split.as_ref();
        let is_fixed = |(to, transfer): &(ActorId, Text<255>)| {
            fixed.and_then(|fixed| fixed.transfer_to(to)) == Some(transfer)
        };
        terms.routing.as_ref() == Some(&self.split) && self.transfers.iter().all(is_fixed)
    }

    /// The processor of a payment that is routed so from now on; `None` where it cannot carry that out, and could before.
    pub(crate) fn corrects(&self, before: &Processor) -> Option<Processor> {
        let shape = match before.shape() {
            // It was not routed before.
            Shape::BooksOnly if before.split.is_none() && before.name == ProcessorName::Stripe => {
                shape(before, &self.split, &self.transfers)?
            }
            Shape::BooksOnly => Shape::BooksOnly,
            Shape::WithRefund | Shape::Apart | Shape::Destination | Shape::Direct => {
                shape(before, &self.split, &self.transfers)?
            }
        };
        let split = Some(SplitTerms { shape, transfers: self.transfers.clone() });
        Some(Processor { split, ..before.clone() })
    }
}

impl WantedProcessor {
    /// What is omitted stays as it was.
    pub(crate) fn agrees_with(&self, payment: &Payment) -> bool {
        let fixed = &payment.processor;
        payment.is_charge(self.name, &self.reference)
            && (self.account.is_none() || self.account == fixed.account)
            && self.split.is_none_or(|split| split == fixed.shape().as_said())
    }

    /// What is fixed from now on. A split that the processor cannot carry out is refused, unless it is said to stand in
    /// the books only; in the sandbox it does so by itself, for no money moves there.
    pub(crate) fn terms(
        &self,
        routing: Option<&WantedRouting>,
        environment: Environment,
    ) -> Result<Processor, Problem> {
        let mut fixed =
            Processor { account: self.account.clone(), ..Processor::of(self.name, self.reference.clone()) };
        let Some(WantedRouting { split, transfers }) = routing else {
            return self.split.map_or(Ok(fixed), |_| Err(invalid("processor.split", "needs a routing")));
        };
        let [executed, books_only] = Shape::SAID;
        let shape = match (shape(&fixed, split, transfers), self.split) {
            (_, Some(said)) if said == books_only => Shape::BooksOnly,
            (Some(shape), _) => shape,
            (None, said) if environment == Environment::Live || said == Some(executed) => {
                let detail = format!(
                    "{} cannot take back what each actor was paid: name every merchant's transfer, or route to one \
                     merchant, or say that processor.split is books_only.",
                    self.name.as_str()
                );
                return Err(Problem::new(Code::SplitNotExecutable, detail).about("routing"));
            }
            (None, _) => Shape::BooksOnly,
        };
        fixed.split = Some(SplitTerms { shape, transfers: transfers.clone() });
        Ok(fixed)
    }
}

pub(crate) fn routing(entry: Entry, amount: Money) -> Result<WantedRouting, Problem> {
    let path = entry.path().to_owned();
    let mut fields = entry.object()?;
    let platform = match fields.take("platform") {
        None => Money::zero(amount.currency()),
        Some(entry) => {
            let mut platform = entry.object()?;
            let part = money(platform.require("amount")?, amount.currency())?;
            platform.finish()?;
            part
        }
    };
    let (mut merchants, mut transfers) = (Vec::new(), Vec::new());
    let listed = fields.take("merchants").map(|entry| entry.list(Split::MERCHANTS_MAX)).transpose()?;
    for entry in listed.unwrap_or_default() {
        let mut merchant = entry.object()?;
        let account: ActorId = merchant.require("account_id")?.id()?;
        let part = money(merchant.require("amount")?, amount.currency())?;
        if let Some(entry) = merchant.take("transfer") {
            transfers.push((account.clone(), named("tr", entry)?));
        }
        merchant.finish()?;
        merchants.push(MerchantPart { account, amount: part });
    }
    fields.finish()?;
    let split = Split::new(platform, merchants).map_err(|why| invalid(&path, why))?;
    if split.total() != amount {
        return Err(invalid(
            &path,
            format_args!("adds up to {}, not to the amount", split.total().decimal()),
        ));
    }
    Ok(WantedRouting { split, transfers })
}

pub(crate) fn processor(entry: Entry) -> Result<WantedProcessor, Problem> {
    let mut fields = entry.object()?;
    let name = fields.require("name")?.one_of(ProcessorName::NAMES, ProcessorName::parse)?;
    let reference = reference(name, fields.take("reference").map(Entry::text).transpose()?)?;
    let account = fields.take("account").map(|entry| named("acct", entry)).transpose()?;
    if name == ProcessorName::Http && account.is_some() {
        return Err(invalid("processor.account", "is for payments at Stripe"));
    }
    let said = |text: &str| Shape::SAID.into_iter().find(|said| *said == text);
    let split = fields.take("split").map(|entry| entry.one_of(&Shape::SAID, said)).transpose()?;
    fields.finish()?;
    Ok(WantedProcessor { name, reference, account, split })
}

/// A name of Stripe's with this prefix.
fn named(prefix: &str, entry: Entry) -> Result<Text<255>, Problem> {
    let path = entry.path().to_owned();
    let name: Text<255> = entry.text()?;
    if stripe::named(prefix, name.as_str()) {
        return Ok(name);
    }
    Err(invalid(&path, format_args!("must be a name of Stripe's that begins with {prefix}_")))
}

pub(crate) fn reference(name: ProcessorName, given: Option<Text<255>>) -> Result<Text<255>, Problem> {
    const PATH: &str = "processor.reference";
    recoup_processors::reference(name, given).map_err(|bad| match bad {
        BadReference::Missing => {
            Problem::new(Code::MissingParameter, format!("{PATH} is required.")).about(PATH)
        }
        BadReference::Malformed(why) => invalid(PATH, why),
    })
}
