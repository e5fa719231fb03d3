//! What is told of a call to AWS that failed: never the answer, which may hold whatever was sent.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use recoup_ports::{causes, refusal};

/// Why the call failed, for the log.
pub(crate) fn cause<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(refused) => refusal(refused.err().code(), refused.err().message()),
        SdkError::DispatchFailure(failure) => {
            failure.as_connector_error().map_or_else(|| "no connection".to_owned(), |error| causes(error))
        }
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::ResponseError(_) => "the answer cannot be read".to_owned(),
        _ => "the request could not be made".to_owned(),
    }
}
