//! What DynamoDB refuses and no emulator does, held for every request of every test.

/// Most operators and functions in one expression.
const OPERATORS_MAX: usize = 300;
/// The longest expression.
const EXPRESSION_BYTES_MAX: usize = 4_096;
/// Most items in one transaction.
const TRANSACTION_ITEMS_MAX: usize = 100;
/// The largest transaction.
const TRANSACTION_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// Fails the test whose request DynamoDB would refuse. It reads the text, since a request may hold a thousand large items:
/// our expressions have placeholders alone, and so no quotes.
pub(crate) fn hold(request: &[u8]) {
    let request = std::str::from_utf8(request).expect("a request is JSON");
    assert!(request.len() <= TRANSACTION_BYTES_MAX, "a request of {} bytes", request.len());
    let of_transaction = ["Put", "Update", "Delete", "ConditionCheck"];
    let items = of_transaction.map(|kind| request.matches(&format!("{{\"{kind}\":{{")).count());
    assert!(items.iter().sum::<usize>() <= TRANSACTION_ITEMS_MAX, "a transaction of {items:?} items");
    for (at, _) in request.match_indices("Expression\":\"") {
        let name = request[..at].rsplit('"').next().unwrap_or_default();
        let expression = request[at..].split('"').nth(2).unwrap_or_default();
        let (operators, bytes) = (operators(expression), expression.len());
        assert!(operators <= OPERATORS_MAX, "{name}Expression has {operators} operators and functions");
        assert!(bytes <= EXPRESSION_BYTES_MAX, "{name}Expression has {bytes} bytes");
    }
}

/// How many operators and functions DynamoDB counts in an expression. By its documentation `SET a = :b + :c + :d` has two:
/// an assignment is none.
pub fn operators(expression: &str) -> usize {
    const WORDS: [&str; 5] = ["AND", "OR", "NOT", "IN", "BETWEEN"];
    let is_update = ["SET ", "REMOVE ", "ADD ", "DELETE "].iter().any(|verb| expression.starts_with(verb));
    let is_of_word = |character: char| character.is_ascii_alphanumeric() || "_#:".contains(character);
    let words: Vec<&str> = expression.split(|character| !is_of_word(character)).collect();
    let words_of = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
    // The AND of a BETWEEN is a part of it.
    let logical: usize = WORDS.iter().map(|word| words_of(word)).sum::<usize>() - words_of("BETWEEN");
    let is_name = |before: &str| before.ends_with(|last: char| last.is_ascii_lowercase());
    let functions = expression.match_indices('(').filter(|(at, _)| is_name(&expression[..*at])).count();
    let comparisons = expression.split(|character| !"<>=".contains(character));
    let comparisons = comparisons.filter(|run| !run.is_empty() && !is_update).count();
    logical + functions + comparisons + expression.matches(['+', '-']).count()
}
