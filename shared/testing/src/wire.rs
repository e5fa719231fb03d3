//! The HTTP client beneath the SDK: it counts every request, lets planned faults happen, and otherwise sends
//! over a real socket.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::{
    ConfigBag, HttpClient, Intercept, RuntimeComponents, SharedHttpClient, SharedInterceptor,
};
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;
use tokio::runtime::Handle;

use crate::calls::{Answer, Call, Calls};
use crate::faults::{Fault, Plan};
use crate::limits;

/// What one test's wire remembers.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) faults: Plan,
    calls: Mutex<Vec<Call>>,
}

impl Wire {
    pub(crate) fn take_calls(&self) -> Calls {
        Calls(std::mem::take(&mut self.calls.lock().expect("no test panics here")))
    }

    /// Notes a request as lost, until something better is known of it.
    fn begin(&self, operation: &str) -> usize {
        let mut calls = self.calls.lock().expect("no test panics here");
        calls.push(Call {
            operation: operation.to_owned(),
            answer: Answer::Lost,
            read_units: 0.0,
            write_units: 0.0,
            index_units: 0.0,
            answered_bytes: 0,
        });
        calls.len() - 1
    }

    fn end(&self, index: usize, change: impl FnOnce(&mut Call)) {
        // Whoever took the calls meanwhile has this one as lost.
        if let Some(call) = self.calls.lock().expect("no test panics here").get_mut(index) {
            change(call);
        }
    }
}

/// The client: `server` is the runtime on which requests travel, so that a paused clock does not run ahead.
#[derive(Clone, Debug)]
pub(crate) struct CountingClient {
    wire: Arc<Wire>,
    server: Handle,
    inner: SharedHttpClient,
}

impl CountingClient {
    pub(crate) fn new(wire: Arc<Wire>, server: Handle) -> Self {
        Self { wire, server, inner: Builder::new().build_http() }
    }
}

impl HttpClient for CountingClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connection {
            wire: Arc::clone(&self.wire),
            server: self.server.clone(),
            inner: self.inner.http_connector(settings, components),
        })
    }
}

#[derive(Clone, Debug)]
struct Connection {
    wire: Arc<Wire>,
    server: Handle,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connection = self.clone();
        HttpConnectorFuture::new(async move { connection.send(request).await })
    }
}

impl Connection {
    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        limits::hold(request.body().bytes().unwrap_or_default());
        let index = self.wire.begin(&operation);
        let fault = self.wire.faults.next(&operation);
        match fault {
            None | Some(Fault::Meanwhile(_)) => {
                let (answer, body) = self.forward(request).await?;
                if let Some(Fault::Meanwhile(others)) = fault {
                    others.act().await;
                }
                let bytes = answer.body().bytes().map_or(0, <[u8]>::len);
                self.wire.end(index, |call| {
                    call.answered_bytes = bytes;
                    note(call, answer.status().is_success(), &body);
                });
                Ok(answer)
            }
            Some(Fault::Refuse(status, body)) => {
                self.wire.end(index, |call| note(call, false, &body));
                let status = status.try_into().expect("a fault's status is one of HTTP's");
                Ok(HttpResponse::new(status, SdkBody::from(body.to_string())))
            }
            Some(Fault::Garble(status, body)) => {
                self.wire.end(index, |call| note(call, false, &Value::Null));
                let status = status.try_into().expect("a fault's status is one of HTTP's");
                Ok(HttpResponse::new(status, SdkBody::from(body)))
            }
            Some(Fault::LoseRequest) => Err(broken("connection refused")),
            Some(Fault::LoseAnswer) => {
                self.forward(request).await?;
                Err(broken("connection reset by peer"))
            }
            Some(Fault::AnswerTooLate) => {
                self.forward(request).await?;
                std::future::pending().await
            }
        }
    }

    /// Sends for real, and reads the whole answer.
    async fn forward(&self, request: HttpRequest) -> Result<(HttpResponse, Value), ConnectorError> {
        let (server, inner) = (self.server.clone(), self.inner.clone());
        let exchange = move || {
            server.block_on(async move {
                let mut answer = inner.call(request).await?;
                let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
                let body = ByteStream::new(body).collect().await;
                let body = body.map_err(|error| ConnectorError::io(error.into()))?.to_vec();
                let json = serde_json::from_slice(&body).unwrap_or_default();
                *answer.body_mut() = SdkBody::from(body);
                Ok((answer, json))
            })
        };
        tokio::task::spawn_blocking(exchange).await.expect("the exchange does not panic")
    }
}

fn broken(how: &str) -> ConnectorError {
    ConnectorError::io(BoxError::from(how))
}

/// Reads an answer's outcome and capacity.
fn note(call: &mut Call, done: bool, body: &Value) {
    if !done {
        let name = body["__type"].as_str().unwrap_or_default();
        call.answer = Answer::Refused(name.rsplit('#').next().unwrap_or_default().to_owned());
        return;
    }
    call.answer = Answer::Done;
    let tables = match &body["ConsumedCapacity"] {
        Value::Array(tables) => tables.as_slice(),
        one => std::slice::from_ref(one),
    };
    let reads = matches!(call.operation.as_str(), "GetItem" | "BatchGetItem" | "Query");
    for table in tables {
        let units = |pointer: &str| table.pointer(pointer).and_then(Value::as_f64);
        let all = units("/CapacityUnits").unwrap_or_default();
        // A transaction whose token was known already is charged as a read.
        let read = units("/ReadCapacityUnits").unwrap_or(if reads { all } else { 0.0 });
        call.read_units += read;
        call.write_units += units("/WriteCapacityUnits").unwrap_or(all - read);
        let indexes = table.pointer("/GlobalSecondaryIndexes").and_then(Value::as_object);
        let of_indexes = indexes.into_iter().flat_map(|indexes| indexes.values());
        call.index_units += of_indexes.filter_map(|index| index["CapacityUnits"].as_f64()).sum::<f64>();
    }
}

/// Asks for the capacity that a request consumed, which the production code does not.
#[derive(Debug)]
struct AskForCapacity;

pub(crate) fn ask_for_capacity() -> SharedInterceptor {
    SharedInterceptor::new(AskForCapacity)
}

impl Intercept for AskForCapacity {
    fn name(&self) -> &'static str {
        "AskForCapacity"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        macro_rules! ask {
            ($($input:ty),+) => {
                $(if let Some(input) = context.input_mut().downcast_mut::<$input>() {
                    input.return_consumed_capacity = Some(ReturnConsumedCapacity::Indexes);
                })+
            };
        }
        ask!(
            BatchGetItemInput,
            GetItemInput,
            PutItemInput,
            QueryInput,
            TransactWriteItemsInput,
            UpdateItemInput
        );
        Ok(())
    }
}
