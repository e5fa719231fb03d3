//! Building update expressions: names and values are always placeholders, so nothing collides with DynamoDB's
//! reserved words and nothing that a caller wrote becomes part of an expression.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// One update: its clauses and its condition.
#[derive(Debug, Default)]
pub(crate) struct Expression {
    sets: Vec<String>,
    removes: Vec<String>,
    adds: Vec<String>,
    deletes: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    /// The placeholder of an attribute's name: the same on every call, and short, since an expression may have only
    /// 4 KB and names every actor and line of a payment.
    pub(crate) fn name(&mut self, attribute: &str) -> String {
        if let Some((placeholder, _)) = self.names.iter().find(|(_, name)| *name == attribute) {
            return placeholder.clone();
        }
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// The placeholder of a value.
    pub(crate) fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// Adds a `SET` clause.
    pub(crate) fn set(&mut self, clause: String) {
        self.sets.push(clause);
    }

    /// `SET attribute = value`, or `REMOVE attribute` for none.
    pub(crate) fn assign(&mut self, attribute: &str, value: Option<AttributeValue>) {
        let name = self.name(attribute);
        match value {
            Some(value) => {
                let value = self.value(value);
                self.sets.push(format!("{name} = {value}"));
            }
            None => self.removes.push(name),
        }
    }

    /// Adds an `ADD` clause: adds members to a set.
    pub(crate) fn add(&mut self, clause: String) {
        self.adds.push(clause);
    }

    /// Adds a `DELETE` clause: removes members from a set.
    pub(crate) fn delete(&mut self, clause: String) {
        self.deletes.push(clause);
    }

    /// Adds a condition; all must hold.
    pub(crate) fn require(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    pub(crate) fn update(&self) -> String {
        let clause =
            |verb: &str, parts: &[String]| (!parts.is_empty()).then(|| format!("{verb} {}", parts.join(",")));
        let clauses = [
            clause("SET", &self.sets),
            clause("REMOVE", &self.removes),
            clause("ADD", &self.adds),
            clause("DELETE", &self.deletes),
        ];
        clauses.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn condition(&self) -> String {
        self.conditions.join(" AND ")
    }

    pub(crate) fn into_names_and_values(self) -> (HashMap<String, String>, HashMap<String, AttributeValue>) {
        (self.names, self.values)
    }
}

pub(crate) fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}
