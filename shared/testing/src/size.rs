//! How big DynamoDB says an item is.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::table::Item;

/// An item's size in bytes by DynamoDB's published rules: names and texts in UTF-8, numbers by their
/// significant digits, lists and maps with 3 bytes and 1 for each member.
pub fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_bytes(number),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::L(members) => 3 + members.iter().map(|member| 1 + value_bytes(member)).sum::<usize>(),
        AttributeValue::M(members) => {
            3 + members.iter().map(|(name, member)| 1 + name.len() + value_bytes(member)).sum::<usize>()
        }
        other => panic!("no item of ours holds {other:?}"),
    }
}

/// One byte for two significant digits, and one more.
fn number_bytes(number: &str) -> usize {
    number.trim_start_matches(['-', '0']).trim_end_matches('0').len().div_ceil(2) + 1
}
