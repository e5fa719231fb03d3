//! What went over the wire, counted.

use std::fmt;

/// How a request ended, seen from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The endpoint did it.
    Done,
    /// The endpoint, or a fault in its name, refused: the error's name.
    Refused(String),
    /// No answer came.
    Lost,
}

/// One HTTP request to the table; an SDK retry is another.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `TransactWriteItems` and its like.
    pub operation: String,
    /// How it ended. DynamoDB also charges for what a condition refused, but does not say how much.
    pub answer: Answer,
    /// Read units charged, the index included.
    pub read_units: f64,
    /// Write units charged, the index included.
    pub write_units: f64,
    /// The share of the indexes in either.
    pub index_units: f64,
    /// How large the answer was.
    pub answered_bytes: usize,
}

/// Requests in the order in which they began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls(pub Vec<Call>);

impl Calls {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Their operations.
    pub fn operations(&self) -> Vec<&str> {
        self.0.iter().map(|call| call.operation.as_str()).collect()
    }

    /// Read units together.
    pub fn read_units(&self) -> f64 {
        self.0.iter().map(|call| call.read_units).sum()
    }

    /// Write units together.
    pub fn write_units(&self) -> f64 {
        self.0.iter().map(|call| call.write_units).sum()
    }

    /// The bytes of all answers together.
    pub fn answered_bytes(&self) -> usize {
        self.0.iter().map(|call| call.answered_bytes).sum()
    }

    /// The index's units together.
    pub fn index_units(&self) -> f64 {
        self.0.iter().map(|call| call.index_units).sum()
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reads, writes, index) = (self.read_units(), self.write_units(), self.index_units());
        write!(f, "{} calls {:?}, ", self.count(), self.operations())?;
        write!(f, "{reads} RRU, {writes} WRU, of which {index} for the index")
    }
}
