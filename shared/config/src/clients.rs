//! The AWS clients: one for each service, without the SDK's default credential chain and root store.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_types::SdkConfig;

use crate::connector::http_client;
use crate::{ConfigError, Settings};

/// The longest attempt at one call; three of them fit in the shortest function's time.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const TRIES_MAX: u32 = 3;
/// The longest invocation of another function: longer than `manage-webhooks` waits for a sample.
const INVOCATION_TIMEOUT: Duration = Duration::from_secs(20);

/// The configuration that all AWS clients of this process share.
#[derive(Clone)]
pub struct Aws {
    config: SdkConfig,
    dynamodb_endpoint: Option<String>,
    kms_endpoint: Option<String>,
    lambda_endpoint: Option<String>,
    secrets_endpoint: Option<String>,
    sqs_endpoint: Option<String>,
}

impl Aws {
    /// Reads the region, credentials and endpoints from the environment that Lambda sets.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        let credentials = Credentials::new(
            settings.required("AWS_ACCESS_KEY_ID")?,
            settings.required("AWS_SECRET_ACCESS_KEY")?,
            settings.optional("AWS_SESSION_TOKEN")?,
            None,
            "environment",
        );
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.required("AWS_REGION")?))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client(CONNECT_TIMEOUT)?)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES_MAX))
            .timeout_config(timeouts());
        config.set_endpoint_url(settings.optional("AWS_ENDPOINT_URL")?);
        Ok(Self {
            config: config.build(),
            dynamodb_endpoint: settings.optional("AWS_ENDPOINT_URL_DYNAMODB")?,
            kms_endpoint: settings.optional("AWS_ENDPOINT_URL_KMS")?,
            lambda_endpoint: settings.optional("AWS_ENDPOINT_URL_LAMBDA")?,
            secrets_endpoint: settings.optional("AWS_ENDPOINT_URL_SECRETS_MANAGER")?,
            sqs_endpoint: settings.optional("AWS_ENDPOINT_URL_SQS")?,
        })
    }

    /// A client for DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config_at(self.dynamodb_endpoint.as_deref()))
    }

    /// A client for KMS.
    pub fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.config_at(self.kms_endpoint.as_deref()))
    }

    /// A client for Lambda. It waits as long as a function may run that another one waits for.
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        let config = self.config_at(self.lambda_endpoint.as_deref()).to_builder();
        let waits = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(INVOCATION_TIMEOUT)
            .build();
        let config = config.timeout_config(waits).build();
        aws_sdk_lambda::Client::new(&config)
    }

    /// A client for Secrets Manager.
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.config_at(self.secrets_endpoint.as_deref()))
    }

    /// A client for SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config_at(self.sqs_endpoint.as_deref()))
    }

    /// How to build a client that not every process needs, `later(Aws::kms)`: each costs 0.7 million instructions.
    pub fn later<C>(
        &self,
        client: impl FnOnce(&Self) -> C + Send + 'static,
    ) -> impl FnOnce() -> C + Send + 'static {
        let aws = self.clone();
        move || client(&aws)
    }

    /// The configuration for a client of any service, with an endpoint of its own if given.
    pub fn config_at(&self, endpoint: Option<&str>) -> SdkConfig {
        match endpoint {
            None => self.config.clone(),
            Some(endpoint) => self.config.to_builder().endpoint_url(endpoint).build(),
        }
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build()
}
