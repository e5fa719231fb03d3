//! A client that is built when it is first needed: each client of the SDK costs 0.7 million instructions.

use std::fmt;
use std::sync::{Arc, LazyLock};

/// A client, or how to build it. A clone shares it.
#[derive(Clone)]
pub(crate) struct Lazy<C>(Arc<LazyLock<C, Box<dyn FnOnce() -> C + Send>>>);

impl<C> Lazy<C> {
    pub(crate) fn new(build: impl FnOnce() -> C + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(build))))
    }

    pub(crate) fn get(&self) -> &C {
        LazyLock::force(&self.0)
    }
}

impl<C> fmt::Debug for Lazy<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lazy(…)")
    }
}
