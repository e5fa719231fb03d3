//! The wire format of a webhook job.

use std::collections::BTreeMap;

use recoup_domain::delivery::Target;
use recoup_domain::endpoint::DisabledReason;
use recoup_domain::event::{Event, EventType, Moment, Subject};
use recoup_domain::ids::{EndpointId, EventId, RefundId};
use recoup_domain::refund::{Failure, FailureCode, Pending, State};
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{UnreadableJob, WebhookJob, malformed, tenant, unreadable};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    environment: String,
    account_id: String,
    event_id: String,
    r#type: String,
    target: String,
    turn: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refund: Option<RefundWire>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<EndpointWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundWire {
    id: String,
    sequence: u32,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    processor_reference: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    updated_at: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointWire {
    id: String,
    reason: String,
    disabled_at: String,
}

impl From<(&RefundId, &Moment)> for RefundWire {
    fn from((id, moment): (&RefundId, &Moment)) -> Self {
        let (pending_reason, failure) = match &moment.state {
            State::Processing(pending) => (Some(pending.as_str().to_owned()), None),
            State::Failed(failure) => {
                (None, Some((failure.code.as_str().to_owned(), failure.message.as_str().to_owned())))
            }
            State::Initiated | State::Succeeded | State::Cancelled => (None, None),
        };
        Self {
            id: id.to_string(),
            sequence: moment.sequence,
            status: moment.state.as_str().to_owned(),
            pending_reason,
            failure,
            processor_reference: moment.processor_reference.as_ref().map(|text| text.as_str().to_owned()),
            metadata: moment.metadata.pairs().clone(),
            updated_at: moment.updated_at.rfc3339(),
        }
    }
}

impl RefundWire {
    fn state(&self) -> Option<State> {
        Some(match self.status.as_str() {
            "initiated" => State::Initiated,
            "processing" => State::Processing(Pending::parse(self.pending_reason.as_deref()?)?),
            "succeeded" => State::Succeeded,
            "failed" => {
                let (code, message) = self.failure.as_ref()?;
                let message = Text::new(message.clone()).ok()?;
                State::Failed(Failure { code: FailureCode::parse(code)?, message })
            }
            "cancelled" => State::Cancelled,
            _ => return None,
        })
    }

    fn read(self) -> Option<Subject> {
        let moment = Moment {
            sequence: self.sequence,
            state: self.state()?,
            processor_reference: self.processor_reference.map(Text::new).transpose().ok()?,
            metadata: Metadata::stored(self.metadata),
            updated_at: Timestamp::parse(&self.updated_at)?,
        };
        Some(Subject::Refund { id: RefundId::try_from(self.id.as_str()).ok()?, moment })
    }
}

impl EndpointWire {
    fn read(&self) -> Option<Subject> {
        Some(Subject::Endpoint {
            id: EndpointId::try_from(self.id.as_str()).ok()?,
            reason: DisabledReason::parse(&self.reason)?,
            disabled_at: Timestamp::parse(&self.disabled_at)?,
        })
    }
}

impl WebhookJob {
    /// The message's body.
    pub fn to_body(&self) -> String {
        let Event { tenant, id, r#type, subject } = &self.event;
        let (refund, endpoint) = match subject {
            Subject::Refund { id, moment } => (Some(RefundWire::from((id, moment))), None),
            Subject::Endpoint { id, reason, disabled_at } => {
                let (reason, disabled_at) = (reason.as_str().to_owned(), disabled_at.rfc3339());
                (None, Some(EndpointWire { id: id.to_string(), reason, disabled_at }))
            }
        };
        let wire = Wire {
            environment: tenant.environment.as_str().to_owned(),
            account_id: tenant.account.to_string(),
            event_id: id.to_string(),
            r#type: r#type.as_str().to_owned(),
            target: self.target.as_str().to_owned(),
            turn: self.turn,
            refund,
            endpoint,
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, UnreadableJob> {
        let wire: Wire = serde_json::from_str(body).map_err(|error| malformed(&error))?;
        let subject = match (wire.refund, wire.endpoint) {
            (Some(refund), None) => refund.read().ok_or_else(|| unreadable("unreadable refund"))?,
            (None, Some(endpoint)) => endpoint.read().ok_or_else(|| unreadable("unreadable endpoint"))?,
            _ => return Err(unreadable("neither a refund nor an endpoint")),
        };
        let event = Event {
            tenant: tenant(&wire.environment, &wire.account_id)?,
            id: EventId::try_from(wire.event_id.as_str()).map_err(unreadable)?,
            r#type: EventType::parse(&wire.r#type).ok_or_else(|| unreadable("unknown type"))?,
            subject,
        };
        let target = Target::parse(&wire.target).ok_or_else(|| unreadable("unknown target"))?;
        Ok(Self { event, target, turn: wire.turn })
    }
}
