//! The pages' own promises: their links lead somewhere, and what they count in `template.yaml` is what it has.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::sources::{Source, exists, pages, read};

/// The prefix of a service's IAM actions, by the service's name in the template's resource types.
const ACTIONS_OF: &[(&str, &str)] = &[
    ("ApiGatewayV2", "apigateway"),
    ("CloudWatch", "cloudwatch"),
    ("DynamoDB", "dynamodb"),
    ("IAM", "iam"),
    ("KMS", "kms"),
    ("Lambda", "lambda"),
    ("Logs", "logs"),
    ("SQS", "sqs"),
    ("SecretsManager", "secretsmanager"),
    ("Serverless", "lambda"),
];
/// What `sam deploy` itself needs, whatever it deploys.
const SAM_ITSELF_NEEDS: [&str; 2] = ["cloudformation", "s3"];

/// Most characters of a managed policy, white space not counted, as IAM has it.
const POLICY_SIZE_MAX: usize = 6_144;

/// The page without its blocks of code.
fn prose(text: &str) -> String {
    let mut within = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            within = !within;
        } else if !within {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// The targets of a page's links, those of other sites left out.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut anchors = BTreeSet::new();
    let prose = prose(text);
    for heading in prose.lines().filter(|line| line.starts_with('#')) {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign));
        let anchor = kept.collect::<String>().replace(' ', "-");
        // One that comes again is numbered.
        let before = seen.iter().filter(|known| **known == anchor).count();
        anchors.insert(if before == 0 { anchor.clone() } else { format!("{anchor}-{before}") });
        seen.push(anchor);
    }
    anchors
}

/// Where a relative link leads, from the repository's root.
fn resolved(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." => {}
            ".." => assert!(parts.pop().is_some(), "{page}: {target} leads out of the repository"),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The block of code of that language behind a heading.
fn block<'a>(text: &'a str, heading: &str, language: &str) -> &'a str {
    let behind = text.split(heading).nth(1).unwrap_or_else(|| panic!("no heading {heading}"));
    let fence = format!("```{language}\n");
    behind.split(&fence).nth(1).and_then(|rest| rest.split("```").next()).unwrap()
}

#[test]
fn every_link_of_every_page_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let links_of = |page: &Source| links(&page.text);
    assert!(pages.len() > 10 && pages.iter().map(|page| links_of(page).len()).sum::<usize>() > 50);
    let mut dead = Vec::new();
    for page in &pages {
        for link in links_of(page) {
            let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(f, a)| (f, Some(a)));
            let path = if file.is_empty() { page.path.clone() } else { resolved(&page.path, file) };
            let found = exists(&path) && anchor.is_none_or(|anchor| anchors(&read(&path)).contains(anchor));
            if !found {
                dead.push(format!("{}: {link}", page.path));
            }
        }
    }
    assert!(dead.is_empty(), "these lead nowhere:\n{}", dead.join("\n"));
}

#[test]
fn the_policy_for_deploying_names_the_services_of_the_template() {
    let template = read("template.yaml");
    let types = template.split("Type: AWS::").skip(1).filter_map(|rest| rest.split("::").next());
    let actions_of = |service: &str| {
        let found = ACTIONS_OF.iter().find(|(name, _)| *name == service);
        found
            .unwrap_or_else(|| {
                panic!("say how the actions of {service} are called, here and in docs/deploy.md")
            })
            .1
    };
    let mut needed: BTreeSet<&str> = types.map(actions_of).collect();
    if template.contains("Type: Schedule\n") {
        needed.insert("events");
    }
    needed.extend(SAM_ITSELF_NEEDS);
    let page = read("docs/deploy.md");
    let text = block(&page, "## Permissions", "json");
    let policy: Value = serde_json::from_str(text).unwrap();
    let actions =
        policy["Statement"].as_array().unwrap().iter().flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        });
    let actions: Vec<String> = actions.map(|action| action.as_str().unwrap().to_owned()).collect();
    let granted: BTreeSet<&str> = actions.iter().filter_map(|action| action.split(':').next()).collect();
    assert_eq!(granted, needed);
    let size = text.chars().filter(|sign| !sign.is_whitespace()).count();
    assert!(size <= POLICY_SIZE_MAX, "IAM takes no policy of {size} characters");
}

#[test]
fn the_page_of_costs_counts_what_the_template_has() {
    let template = read("template.yaml");
    let page = read("docs/costs.md");
    let of_type = |name: &str| template.matches(&format!("Type: {name}\n")).count();
    let metrics: BTreeSet<&str> = template
        .split("MetricNamespace: !Ref AWS::StackName, ")
        .skip(1)
        .filter_map(|rest| rest.split(',').next())
        .collect();
    let counted = [
        (of_type("AWS::CloudWatch::Alarm"), "alarms"),
        (metrics.len(), "metrics of our own"),
        (of_type("SQS"), "queues that are polled"),
        (of_type("AWS::SecretsManager::Secret"), "secrets of the stack"),
        (of_type("AWS::KMS::Key"), "key of the stack"),
    ];
    for (count, what) in counted {
        assert!(
            count > 0 && page.contains(&format!("{count} {what}")),
            "costs.md does not say {count} {what}"
        );
    }
    for schedule in ["rate(1 minute)", "rate(1 hour)"] {
        assert!(template.contains(schedule) && page.contains(schedule), "{schedule}");
    }
}

#[test]
fn the_newest_version_of_the_changelog_is_that_of_the_workspace() {
    let manifest = read("Cargo.toml");
    let version =
        manifest.split("[workspace.package]").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap();
    let changelog = read("CHANGELOG.md");
    let newest =
        changelog.lines().find(|line| line.starts_with("## [") && !line.contains("Unreleased")).unwrap();
    assert!(newest.starts_with(&format!("## [{version}]")), "{newest} is not {version}");
}
