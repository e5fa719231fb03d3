//! Who may seal and open secrets, as the roles of the template have it.

use std::collections::{BTreeMap, BTreeSet};

use recoup_domain::ids::EndpointId;
use recoup_domain::payment::ProcessorName;
use recoup_ports::seals::Purpose;
use recoup_testing::routes::{RESOURCES, ROUTES};
use serde_json::Value;

/// Each function's actions with the key, and the purposes for which it has them.
const OF_FUNCTIONS: &[(&str, &str, &[&str])] = &[
    ("admin", "kms:Encrypt", &["account", "endpoint *", "processor *"]),
    ("dispatch-webhook", "kms:Decrypt", &["endpoint *", "account"]),
    ("manage-webhooks", "kms:Encrypt", &["endpoint *"]),
    ("process-refund", "kms:Decrypt", &["processor *"]),
    ("reconcile", "kms:Decrypt", &["processor *"]),
    ("settle-refund", "kms:Decrypt", &["processor *"]),
];

fn texts(value: &Value) -> Vec<String> {
    let one = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned();
    value.as_array().map_or_else(|| vec![one(value)], |values| values.iter().map(one).collect())
}

/// The statements of each function's role.
fn statements() -> BTreeMap<String, Vec<Value>> {
    let functions = RESOURCES.values().filter(|resource| resource["Type"] == "AWS::Serverless::Function");
    let of_function = functions.map(|function| {
        let role = function["Properties"]["Role"].as_str().unwrap().strip_suffix(".Arn").unwrap();
        let policies = RESOURCES[role]["Properties"]["Policies"].as_array().unwrap().iter();
        let statements =
            policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone());
        let binary = function["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap().to_owned();
        (binary, statements.collect())
    });
    of_function.collect()
}

#[test]
fn each_role_seals_or_opens_what_it_is_for_and_no_role_does_both() {
    let mut found = Vec::new();
    for (function, statements) in statements() {
        for statement in statements {
            for action in texts(&statement["Action"]).into_iter().filter(|action| action.contains("kms")) {
                let purposes = &statement["Condition"]["StringLikeIfExists"]["kms:EncryptionContext:purpose"];
                assert_eq!(texts(&statement["Resource"]), ["SecretsKey.Arn"], "{function}");
                found.push((function.clone(), action, texts(purposes)));
            }
        }
    }
    let expected = OF_FUNCTIONS.iter().map(|(function, action, purposes)| {
        let purposes: Vec<String> = purposes.iter().map(|purpose| (*purpose).to_owned()).collect();
        ((*function).to_owned(), (*action).to_owned(), purposes)
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// What a tenant's caller makes such a function do reaches no other tenant's credentials.
#[test]
fn no_function_that_a_tenants_caller_reaches_opens_a_secret() {
    let reached: BTreeSet<&str> =
        ROUTES.iter().filter(|route| route.authorized).map(|route| route.function.as_str()).collect();
    let statements = statements();
    assert!(reached.len() >= 5, "{reached:?}");
    for function in reached {
        let statements = &statements[function];
        // The key that seals payments is nobody's credential.
        let seals_payments = |statement: &&Value| statement["Resource"] == "TermsSealKey.Id";
        let others = statements.iter().filter(|statement| !seals_payments(statement));
        let actions: Vec<String> = others.flat_map(|statement| texts(&statement["Action"])).collect();
        for opens in ["kms:Decrypt", "kms:*", "secretsmanager:GetSecretValue", "secretsmanager:*", "*"] {
            assert!(!actions.iter().any(|action| action == opens), "{function} has {opens}");
        }
    }
}

/// What may open no secret has done, by invoking another function, what takes one; so whoever allowed opens nothing.
#[test]
fn who_invokes_another_function_opens_no_secret_itself() {
    let mut invoked = BTreeMap::new();
    for (function, statements) in statements() {
        let may = |action: &str| -> Vec<String> {
            let of_action = statements
                .iter()
                .filter(|statement| texts(&statement["Action"]).iter().any(|found| found == action));
            of_action.flat_map(|statement| texts(&statement["Resource"])).collect()
        };
        let allowed = may("lambda:InvokeFunction");
        assert!(allowed.is_empty() || may("kms:Decrypt").is_empty(), "{function}");
        invoked.insert(function, allowed);
    }
    assert_eq!(invoked["admin"], ["ProcessRefundFunction.Arn"]);
    assert_eq!(invoked["manage-webhooks"], ["DispatchWebhookFunction.Arn"]);
}

#[test]
fn each_purpose_has_the_form_that_the_roles_are_limited_to() {
    let endpoint = Purpose::Endpoint(EndpointId::from_bits(1)).to_string();
    let processor = Purpose::Processor(ProcessorName::Stripe).to_string();
    let account = Purpose::Account.to_string();
    for (purpose, pattern) in [(endpoint, "endpoint *"), (processor, "processor *"), (account, "account")] {
        let matches = match pattern.strip_suffix('*') {
            Some(prefix) => purpose.starts_with(prefix),
            None => purpose == pattern,
        };
        assert!(matches, "{purpose} is not {pattern}");
    }
}

#[test]
fn the_key_outlives_the_stack_and_is_rotated() {
    let key = &RESOURCES["SecretsKey"];
    assert_eq!(
        (&key["DeletionPolicy"], &key["UpdateReplacePolicy"]),
        (&"RetainExceptOnCreate".into(), &"Retain".into())
    );
    assert_eq!(key["Properties"]["EnableKeyRotation"], true);
}
