//! The addresses of a name, reduced to those that may be dialled.
//!
//! The connector dials what it is given here and asks nobody else, once for each delivery. So the address that
//! is judged is the address that is dialled, whatever the name's owner answers the next time.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use recoup_ports::BoxError;
use recoup_ports::webhooks::Reach;
use tower_service::Service;

use crate::addresses::is_public;

/// The addresses a name was found to have, or why it has none.
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Knows the addresses of names. What it says is judged before anything is dialled, so it need not be trusted.
pub trait Names: fmt::Debug + Send + Sync {
    /// Every address of a name, in the order in which they are to be tried.
    fn addresses(&self, name: &str) -> Found;
}

/// The system's own resolver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemNames;

impl Names for SystemNames {
    fn addresses(&self, name: &str) -> Found {
        let asked = name.parse::<Name>().map(|name| GaiResolver::new().call(name));
        Box::pin(async move {
            let found = asked.map_err(io::Error::other)?.await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Whether an address may be dialled.
pub(crate) fn allows(reach: Reach, address: IpAddr) -> bool {
    reach == Reach::Anywhere || is_public(address)
}

/// A name that leads nowhere public.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotPublic;

impl NotPublic {
    pub(crate) const WHY: &str = "it has no public address";
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WHY)
    }
}

impl Error for NotPublic {}

/// What the connector asks.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    pub(crate) names: Arc<dyn Names>,
    pub(crate) reach: Reach,
}

impl Service<Name> for Judge {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.names.addresses(name.as_str());
        let reach = self.reach;
        Box::pin(async move { Ok(allowed(found.await?, reach)?.into_iter()) })
    }
}

/// Port 0 stands for the URL's.
fn allowed(found: Vec<IpAddr>, reach: Reach) -> Result<Vec<SocketAddr>, NotPublic> {
    let allowed = found.into_iter().filter(|address| allows(reach, *address));
    let allowed: Vec<_> = allowed.map(|address| SocketAddr::new(address, 0)).collect();
    if allowed.is_empty() { Err(NotPublic) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Gives its answers one after the other.
    #[derive(Debug)]
    struct Changing(Mutex<Vec<Vec<IpAddr>>>);

    impl Names for Changing {
        fn addresses(&self, _: &str) -> Found {
            let answer = self.0.lock().unwrap().remove(0);
            Box::pin(async move { Ok(answer) })
        }
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn judge(reach: Reach, answers: &[&[&str]]) -> Judge {
        let answers = answers.iter().map(|answer| addresses(answer)).collect();
        Judge { names: Arc::new(Changing(Mutex::new(answers))), reach }
    }

    async fn given(judge: &mut Judge) -> Option<Vec<IpAddr>> {
        let name = "hooks.example".parse().unwrap();
        judge.call(name).await.ok().map(|given| given.map(|address| address.ip()).collect())
    }

    #[tokio::test]
    async fn the_connector_is_given_public_addresses_of_each_answer_and_no_others() {
        let public = ["8.8.8.8", "2606:4700:4700::1111"];
        let mixed = ["127.0.0.1", public[0], "::1", "10.0.0.1", public[1], "::ffff:127.0.0.1"];
        let private = ["127.0.0.1", "fd00:ec2::254", "169.254.169.254"];
        let answers: [&[&str]; 5] = [&public, &private, &mixed, &[], &public[1..]];
        let mut judge = judge(Reach::Public, &answers);
        assert_eq!(given(&mut judge).await, Some(addresses(&public)));
        assert_eq!(given(&mut judge).await, None, "only private");
        assert_eq!(given(&mut judge).await, Some(addresses(&public)), "mixed");
        assert_eq!(given(&mut judge).await, None, "none at all");
        assert_eq!(given(&mut judge).await, Some(addresses(&public[1..])));
    }

    #[tokio::test]
    async fn where_everything_may_be_dialled_nothing_is_left_out() {
        let mixed = ["127.0.0.1", "8.8.8.8", "::1"];
        assert_eq!(given(&mut judge(Reach::Anywhere, &[&mixed])).await, Some(addresses(&mixed)));
    }
}
