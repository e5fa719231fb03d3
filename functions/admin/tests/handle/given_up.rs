//! Dead-letter queues in memory, which hide what was read until it is released, as SQS does.

use std::collections::HashSet;
use std::sync::Mutex;

use recoup_domain::time::Timestamp;
use recoup_ports::dead_letters::{
    DeadLetter, DeadLetterQueue, DeadLetters, DeadLettersError, PutBackError, READ_MAX,
};
use recoup_ports::jobs::{Job, SendJobError};

/// What lies in the queues.
#[derive(Default)]
pub(crate) struct GivenUp {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    letters: Vec<(DeadLetterQueue, DeadLetter)>,
    hidden: HashSet<String>,
    sent: Vec<Job>,
    /// The handles of those whose queue takes nothing.
    refused: HashSet<String>,
    readings_left: Option<usize>,
}

impl GivenUp {
    /// Gives a message up; its handle is its id.
    pub(crate) fn add(&self, queue: DeadLetterQueue, id: &str, body: &str) {
        let letter = DeadLetter {
            message_id: id.to_owned(),
            receipt_handle: id.to_owned(),
            sent_at: Timestamp::from_unix_millis(1_795_339_800_000),
            receive_count: 9,
            source_queue: Some("source".to_owned()),
            body: body.to_owned(),
        };
        self.state.lock().unwrap().letters.push((queue, letter));
    }

    pub(crate) fn refuse(&self, id: &str) {
        self.state.lock().unwrap().refused.insert(id.to_owned());
    }

    /// From the reading after so many, the queue does not answer.
    pub(crate) fn fail_after(&self, readings: usize) {
        self.state.lock().unwrap().readings_left = Some(readings);
    }

    /// The ids of what is still here and can be read at once.
    pub(crate) fn visible(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let ids = state.letters.iter().map(|(_, letter)| letter.message_id.clone());
        ids.filter(|id| !state.hidden.contains(id)).collect()
    }

    /// What was put back, in order.
    pub(crate) fn sent(&self) -> Vec<Job> {
        self.state.lock().unwrap().sent.clone()
    }
}

impl DeadLetters for GivenUp {
    async fn count(&self, queue: DeadLetterQueue) -> Result<u64, DeadLettersError> {
        let state = self.state.lock().unwrap();
        Ok(state.letters.iter().filter(|(of, _)| *of == queue).count().try_into().unwrap())
    }

    async fn read(&self, queue: DeadLetterQueue) -> Result<Vec<DeadLetter>, DeadLettersError> {
        let state = &mut *self.state.lock().unwrap();
        match state.readings_left.as_mut() {
            Some(0) => return Err(DeadLettersError("throttled".into())),
            Some(left) => *left = left.saturating_sub(1),
            None => {}
        }
        let here = state.letters.iter().filter(|(of, letter)| {
            let hidden = state.hidden.contains(&letter.receipt_handle);
            *of == queue && !hidden
        });
        let read: Vec<DeadLetter> = here.take(READ_MAX).map(|(_, letter)| letter.clone()).collect();
        state.hidden.extend(read.iter().map(|letter| letter.receipt_handle.clone()));
        Ok(read)
    }

    async fn release(&self, _: DeadLetterQueue, handles: &[String]) -> Result<(), DeadLettersError> {
        let mut state = self.state.lock().unwrap();
        for handle in handles {
            assert!(state.hidden.remove(handle), "{handle} was released twice");
        }
        Ok(())
    }

    async fn put_back(
        &self,
        queue: DeadLetterQueue,
        letters: &[(DeadLetter, Job)],
    ) -> Vec<(usize, PutBackError)> {
        let state = &mut *self.state.lock().unwrap();
        let mut left = Vec::new();
        for (position, (letter, job)) in letters.iter().enumerate() {
            if state.refused.contains(&letter.receipt_handle) {
                left.push((position, PutBackError::NotSent(SendJobError("throttled".into()))));
            } else {
                state.sent.push(job.clone());
                state.letters.retain(|(of, here)| (*of, here) != (queue, letter));
                state.hidden.remove(&letter.receipt_handle);
            }
        }
        left
    }
}
