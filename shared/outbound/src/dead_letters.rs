//! The dead-letter queues: reading without hiding for long, and putting back without losing.

use std::collections::HashSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use recoup_domain::or_abort::OrAbort;
use recoup_domain::time::Timestamp;
use recoup_ports::BoxError;
use recoup_ports::dead_letters::{
    DeadLetter, DeadLetterQueue, DeadLetters, DeadLettersError, PutBackError, READ_MAX,
};
use recoup_ports::jobs::{Job, Jobs};

use crate::queues::{QueueUrls, Queues};
use crate::refused::cause;

/// Most messages in one call that names them, as SQS has it.
const CALL_MESSAGES_MAX: usize = 10;
/// How long what is read stays hidden: longer than the function may run, so that no command sees a message twice.
const HIDDEN_SECONDS: i32 = 60;
/// A reading that finds nothing waits this long, for then SQS asks all its servers and "nothing" means it.
const READ_WAIT_SECONDS: i32 = 1;

/// Where the dead letters lie, and where jobs go back to.
#[derive(Clone, Debug)]
pub struct DeadLetterUrls {
    /// Refund jobs that were given up.
    pub refund_jobs: String,
    /// Webhook jobs of both lanes that were given up.
    pub webhook_jobs: String,
    /// What the stream could not tell.
    pub relay: String,
    /// Where refund jobs go back to.
    pub back_to_refund_jobs: String,
    /// Where all webhook jobs go back to: not before first tries.
    pub back_to_webhook_retries: String,
}

impl DeadLetterUrls {
    /// Looks each up under its name in `template.yaml`.
    pub fn read<E>(url: impl Fn(&'static str) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self {
            refund_jobs: url("REFUND_JOBS_DEAD_LETTER_QUEUE_URL")?,
            webhook_jobs: url("WEBHOOK_JOBS_DEAD_LETTER_QUEUE_URL")?,
            relay: url("RELAY_DEAD_LETTER_QUEUE_URL")?,
            back_to_refund_jobs: url("REFUND_JOBS_QUEUE_URL")?,
            back_to_webhook_retries: url("WEBHOOK_RETRIES_QUEUE_URL")?,
        })
    }
}

/// Reads the dead-letter queues.
#[derive(Clone, Debug)]
pub struct DeadLetterQueues {
    client: Client,
    urls: DeadLetterUrls,
    back: Queues,
}

impl DeadLetterQueues {
    /// Reads and sends through this client.
    pub fn new(client: Client, urls: DeadLetterUrls) -> Self {
        let back = QueueUrls {
            refund_jobs: urls.back_to_refund_jobs.clone(),
            // Whatever lane a job names, it goes back into this one.
            webhook_jobs: urls.back_to_webhook_retries.clone(),
            webhook_retries: urls.back_to_webhook_retries.clone(),
            relay_dead_letters: urls.relay.clone(),
        };
        Self { back: Queues::new(client.clone(), back), client, urls }
    }

    fn url(&self, queue: DeadLetterQueue) -> &str {
        match queue {
            DeadLetterQueue::RefundJobs => &self.urls.refund_jobs,
            DeadLetterQueue::WebhookJobs => &self.urls.webhook_jobs,
            DeadLetterQueue::Relay => &self.urls.relay,
        }
    }

    /// The positions within `handles` of those that were not deleted, with the reason.
    async fn delete(&self, queue: DeadLetterQueue, handles: &[&str]) -> Vec<(usize, BoxError)> {
        let mut left = Vec::new();
        for (call, handles) in handles.chunks(CALL_MESSAGES_MAX).enumerate() {
            let first = call.saturating_mul(CALL_MESSAGES_MAX);
            let entries = handles.iter().enumerate().map(|(index, handle)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(*handle)
                    .build()
            });
            let deleted = match entries.collect::<Result<Vec<_>, _>>() {
                Ok(entries) => {
                    let call = self.client.delete_message_batch().queue_url(self.url(queue));
                    call.set_entries(Some(entries)).send().await.map_err(|error| cause(&error))
                }
                Err(error) => Err(error.to_string()),
            };
            for index in 0..handles.len() {
                let id = index.to_string();
                let gone = match &deleted {
                    Ok(answer) if answer.successful().iter().any(|gone| gone.id() == id) => continue,
                    Ok(answer) => answer.failed().iter().find(|failed| failed.id() == id).map_or_else(
                        || "the queue did not mention the message".to_owned(),
                        |failed| failed.code().to_owned(),
                    ),
                    Err(error) => error.clone(),
                };
                left.push((first.saturating_add(index), gone.into()));
            }
        }
        left
    }
}

impl DeadLetters for DeadLetterQueues {
    async fn count(&self, queue: DeadLetterQueue) -> Result<u64, DeadLettersError> {
        // Those that somebody reads right now are hidden, and still here.
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.client.get_queue_attributes().queue_url(self.url(queue));
        let answer = call
            .set_attribute_names(Some(counts.to_vec()))
            .send()
            .await
            .map_err(|error| failed(cause(&error)))?;
        let count = |name| answer.attributes()?.get(name)?.parse::<u64>().ok();
        let found = counts.iter().map(count).collect::<Option<Vec<u64>>>();
        let found = found.ok_or_else(|| DeadLettersError("the queue's counts are missing".into()))?;
        Ok(found.into_iter().sum())
    }

    async fn read(&self, queue: DeadLetterQueue) -> Result<Vec<DeadLetter>, DeadLettersError> {
        let told = [
            MessageSystemAttributeName::SentTimestamp,
            MessageSystemAttributeName::ApproximateReceiveCount,
            MessageSystemAttributeName::DeadLetterQueueSourceArn,
        ];
        let call = self.client.receive_message().queue_url(self.url(queue));
        let call = call
            .max_number_of_messages(i32::try_from(READ_MAX).or_abort("ten is an i32"))
            .visibility_timeout(HIDDEN_SECONDS);
        let call =
            call.wait_time_seconds(READ_WAIT_SECONDS).set_message_system_attribute_names(Some(told.to_vec()));
        let answer = call.send().await.map_err(|error| failed(cause(&error)))?;
        let letters = answer.messages.unwrap_or_default().into_iter().map(letter);
        letters.collect::<Option<_>>().ok_or_else(|| failed("a message lacks what every message has"))
    }

    async fn release(
        &self,
        queue: DeadLetterQueue,
        receipt_handles: &[String],
    ) -> Result<(), DeadLettersError> {
        for handles in receipt_handles.chunks(CALL_MESSAGES_MAX) {
            let entries = handles.iter().enumerate().map(|(index, handle)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(handle).visibility_timeout(0).build()
            });
            let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(failed)?;
            let call = self.client.change_message_visibility_batch().queue_url(self.url(queue));
            let answer =
                call.set_entries(Some(entries)).send().await.map_err(|error| failed(cause(&error)))?;
            if let Some(hidden) = answer.failed().first() {
                return Err(DeadLettersError(hidden.code().into()));
            }
        }
        Ok(())
    }

    async fn put_back(
        &self,
        queue: DeadLetterQueue,
        letters: &[(DeadLetter, Job)],
    ) -> Vec<(usize, PutBackError)> {
        let jobs: Vec<Job> = letters.iter().map(|(_, job)| job.clone()).collect();
        let not_sent = self.back.send(&jobs).await;
        let kept: HashSet<usize> = not_sent.iter().map(|(position, _)| *position).collect();
        let sent: Vec<(usize, &str)> = letters
            .iter()
            .enumerate()
            .filter(|(position, _)| !kept.contains(position))
            .map(|(position, (letter, _))| (position, letter.receipt_handle.as_str()))
            .collect();
        let handles: Vec<&str> = sent.iter().map(|(_, handle)| *handle).collect();
        let not_deleted = self.delete(queue, &handles).await.into_iter().filter_map(|(index, cause)| {
            sent.get(index).map(|(position, _)| (*position, PutBackError::NotDeleted(cause)))
        });
        let not_sent = not_sent.into_iter().map(|(position, error)| (position, PutBackError::NotSent(error)));
        not_sent.chain(not_deleted).collect()
    }
}

fn failed(error: impl Into<BoxError>) -> DeadLettersError {
    DeadLettersError(error.into())
}

/// `None` if something is missing that SQS never leaves out: without it a letter could be neither read nor deleted.
fn letter(message: Message) -> Option<DeadLetter> {
    let told = |name| message.attributes.as_ref().and_then(|attributes| attributes.get(&name));
    let sent_at = told(MessageSystemAttributeName::SentTimestamp).and_then(|millis| millis.parse().ok());
    let receives = told(MessageSystemAttributeName::ApproximateReceiveCount);
    let source = told(MessageSystemAttributeName::DeadLetterQueueSourceArn);
    Some(DeadLetter {
        sent_at: sent_at.and_then(Timestamp::from_unix_millis),
        // This reading is one, where the queue does not count.
        receive_count: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
        source_queue: source.and_then(|arn| arn.rsplit(':').next()).map(str::to_owned),
        message_id: message.message_id?,
        receipt_handle: message.receipt_handle?,
        body: message.body?,
    })
}
