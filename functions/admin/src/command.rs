//! The commands, and who gives them.

use lambda_runtime::LambdaEvent;
use recoup_domain::text::Text;
use serde::Deserialize;
use serde_json::Value;

use crate::dead_letters::QueueName;
use crate::secrets::Given;
use crate::{AdminError, keys, refunds};

/// A command, and who gives it.
pub(crate) struct Invocation {
    /// Its name.
    pub(crate) name: String,
    /// What is to be done.
    pub(crate) command: Command,
    /// Who gives it: known of every command that changes something.
    pub(crate) operator: Option<Text<64>>,
}

impl Invocation {
    /// Reads a command. Whom Lambda itself names was authenticated, and is believed over what the command says.
    pub(crate) fn parse(event: LambdaEvent<Value>) -> Result<Self, AdminError> {
        let LambdaEvent { payload: mut fields, context } = event;
        let named = fields.as_object_mut().and_then(|fields| fields.remove("operator"));
        let name = fields.get("command").and_then(Value::as_str).unwrap_or_default().to_owned();
        // The reason may be shown: it names fields, and a secret hides itself (`secrets::Given`).
        let command: Command =
            serde_json::from_value(fields).map_err(|error| AdminError::Command(error.to_string()))?;
        let invoked_by = context.identity.map(|caller| Value::String(caller.identity_id));
        let operator = invoked_by.or(named).map(|name| operator(&name)).transpose()?;
        if operator.is_none() && !command.only_reads() {
            return Err(AdminError::Operator);
        }
        Ok(Self { name, command, operator })
    }
}

fn operator(name: &Value) -> Result<Text<64>, AdminError> {
    let is_a_name = |name: &&str| !name.trim().is_empty() && !name.contains(char::is_control);
    let name = name.as_str().filter(is_a_name).ok_or(AdminError::Operator)?;
    Text::new(name.to_owned()).map_err(|_| AdminError::Operator)
}

#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    CreateAccount { name: String },
    ListAccounts { after: Option<String> },
    CreateApiKey(keys::Wanted),
    CreateClient(keys::Wanted),
    ListApiKeys { account_id: String, environment: String },
    RevokeApiKey { id: Option<String>, secret: Option<String> },
    RotatePepper { drop_unseen: Option<bool> },
    RotateSigningKey {},
    RotateWebhookSecret { account_id: String, environment: String, overlap_hours: Option<u32> },
    SetProcessorKeys { account_id: String, environment: String, processor: String, secret: Given },
    DeleteProcessorKeys { account_id: String, environment: String, processor: String },
    CheckProcessor { account_id: String, environment: String, processor: String },
    DeadLetters { queue: QueueName },
    PutBack { queue: QueueName, refund_id: Option<String> },
    LatestReports {},
    IndexAccounts { account_ids: Vec<String> },
    SettleRefund(refunds::Said),
    AskNow(refunds::Named),
    ClearFlag(refunds::Named),
    SealPayments { cursor: Option<String> },
    SealSecrets { cursor: Option<String> },
    SealPayment { account_id: String, environment: String, payment_id: String },
}

impl Command {
    /// Whether it only shows something.
    fn only_reads(&self) -> bool {
        match self {
            Self::ListAccounts { .. }
            | Self::ListApiKeys { .. }
            | Self::CheckProcessor { .. }
            | Self::DeadLetters { .. }
            | Self::LatestReports {} => true,
            Self::CreateAccount { .. }
            | Self::CreateApiKey(_)
            | Self::CreateClient(_)
            | Self::RevokeApiKey { .. }
            | Self::RotatePepper { .. }
            | Self::RotateSigningKey {}
            | Self::RotateWebhookSecret { .. }
            | Self::SetProcessorKeys { .. }
            | Self::DeleteProcessorKeys { .. }
            | Self::PutBack { .. }
            | Self::IndexAccounts { .. }
            | Self::SettleRefund(_)
            | Self::AskNow(_)
            | Self::ClearFlag(_)
            | Self::SealPayments { .. }
            | Self::SealSecrets { .. }
            | Self::SealPayment { .. } => false,
        }
    }
}
