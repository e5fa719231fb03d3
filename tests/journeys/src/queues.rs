//! The queues, on the journeys' clock.

use std::sync::Mutex;
use std::time::Duration;

use recoup_domain::time::Timestamp;
use recoup_ports::jobs::{Job, Jobs, Lane, Pace, SendJobError};

use crate::world::now;

/// Which queue a message is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    Refunds,
    Webhooks(Lane),
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) queue: Queue,
    pub(crate) visible_at: Timestamp,
    pub(crate) body: String,
    pub(crate) receives: u32,
}

impl Message {
    pub(crate) fn new(queue: Queue, delay: Duration, body: String) -> Self {
        // SQS counts whole seconds, up to 15 minutes; the rest of a longer wait is nobody's to keep.
        let delay = Duration::from_secs(u64::try_from(delay.as_millis().div_ceil(1_000)).unwrap());
        assert!(delay <= Duration::from_mins(15), "no queue holds a message for {delay:?}");
        Self { queue, visible_at: now().plus(delay), body, receives: 0 }
    }
}

/// What relay-events sends.
#[derive(Default)]
pub(crate) struct Queues(Mutex<Vec<Message>>);

impl Queues {
    /// When the next of the messages shows that this is true of.
    pub(crate) fn next(&self, which: impl Fn(&Message) -> bool) -> Option<Timestamp> {
        let queue = self.0.lock().unwrap();
        queue.iter().filter(|message| which(message)).map(|message| message.visible_at).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn put(&self, message: Message) {
        self.0.lock().unwrap().push(message);
    }

    /// Takes the messages that this is true of.
    pub(crate) fn take(&self, most: usize, which: impl Fn(&Message) -> bool) -> Vec<Message> {
        let mut queue = self.0.lock().unwrap();
        queue.extract_if(.., |message| which(message)).take(most).collect()
    }
}

impl Jobs for Queues {
    async fn send(&self, jobs: &[Job]) -> Vec<(usize, SendJobError)> {
        for job in jobs {
            self.put(match job {
                Job::Refund { job, delay } => {
                    Message::new(Queue::Refunds, *delay, serde_json::to_string(job).unwrap())
                }
                Job::Payment { job, delay } => {
                    Message::new(Queue::Refunds, *delay, serde_json::to_string(job).unwrap())
                }
                Job::Webhook { job, lane, delay } => {
                    Message::new(Queue::Webhooks(*lane), *delay, serde_json::to_string(job).unwrap())
                }
            });
        }
        Vec::new()
    }

    async fn dead_letter(&self, record: &str) -> Result<(), SendJobError> {
        panic!("nothing here is unreadable: {record}")
    }
}

/// No refund job here has to come again.
pub(crate) struct NeverAgain;

impl Pace for NeverAgain {
    async fn again_in(&self, _: &str, _: u32) -> Result<(), SendJobError> {
        panic!("a job was not worked on")
    }
}
