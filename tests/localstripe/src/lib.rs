//! Nothing but a place for the tests beside it, which need a running localstripe (`make localstripe`).
