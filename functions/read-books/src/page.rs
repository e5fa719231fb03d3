//! A report as a page for people: one file that loads nothing, runs no scripts, and can be read on a phone.

use std::cmp::Reverse;

use recoup_domain::ids::Environment;
use recoup_domain::or_abort::OrAbort;
use recoup_domain::report::{Finding, Mismatch, Remedy, Report};
use recoup_domain::time::Timestamp;

/// Escapes a text for HTML. Every text that we did not write must pass through here.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            character => safe.push(character),
        }
    }
    safe
}

fn sentence(mismatch: Mismatch) -> &'static str {
    match mismatch {
        Mismatch::JobMissing => "A refund had no job on its way.",
        Mismatch::JobOverdue => "The next question about a refund was overdue.",
        Mismatch::Unsettled => "A refund has been on its way for two weeks.",
        Mismatch::EventMissing => "A change of a refund was never announced.",
        Mismatch::AmountAstray => "A payment’s amounts do not add up.",
        Mismatch::RefundAstray => "A payment and a refund do not know each other.",
        Mismatch::LineAstray => "An invoice line and its refunds disagree.",
        Mismatch::Unreadable => "An item of the table cannot be read.",
        Mismatch::OutcomeDiffers => "The processor says otherwise about how a refund ended.",
        Mismatch::MissingAtProcessor => "The processor does not know a refund that it said had succeeded.",
        Mismatch::NotRecovered => "An actor has not given its part of the refund.",
        Mismatch::NotReturned => "An actor has given its part of a refund that failed.",
        Mismatch::UnknownHere => "The processor knows a refund of ours that is not here.",
        Mismatch::TwiceAtProcessor => "The processor has moved the money of one refund more than once.",
        Mismatch::SucceededAfterFailure => {
            "A refund succeeded after it had failed, and its money was not there any more."
        }
        Mismatch::ExceedsRefundable => {
            "A refund made at the processor, or a lost dispute, is more than its payment had left."
        }
        Mismatch::TermsChanged => "A payment is not as it was registered: somebody changed it past the API.",
        Mismatch::TermsUnsealed => "A payment has no seal, so whether it is as registered is unknown.",
        Mismatch::TermsUnchecked => "Whether payments are as registered could not be checked.",
        Mismatch::TermsDifferAtProcessor => "The processor says otherwise about a payment’s terms.",
        Mismatch::TotalDiffersAtProcessor => "The processor has refunded another total of a payment.",
        Mismatch::DisputeMissing => "The processor tells of a dispute what was not known here.",
        Mismatch::EventAstray => "A recorded event says what its refund’s history does not.",
    }
}

fn done(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::None => "Nothing yet: a person has to look.",
        Remedy::SentFor => "A new job was sent for.",
        Remedy::Announced => "The change was announced.",
        Remedy::Settled => "The books were set to what the processor says.",
        Remedy::Failed => "It could not be written; the next run tries again.",
    }
}

/// Sorts findings that wait for a person first.
fn urgency(remedy: Remedy) -> u8 {
    match remedy {
        Remedy::None => 0,
        Remedy::Failed => 1,
        Remedy::SentFor | Remedy::Announced | Remedy::Settled => 2,
    }
}

/// The verdict, and the CSS class for its colour.
fn verdict(report: &Report) -> (&'static str, String) {
    match (report.drift, report.complete) {
        (0, true) => ("good", "Nothing astray.".to_owned()),
        (0, false) => ("open", "Nothing astray so far.".to_owned()),
        (1, _) => ("bad", "1 mismatch".to_owned()),
        (count, _) => ("bad", format!("{count} mismatches")),
    }
}

/// `2026-11-22 09:30:00 UTC`.
fn moment(at: Timestamp) -> String {
    let at = at.rfc3339();
    let (seconds, _) = at.split_once('.').or_abort("every time is written with its milliseconds");
    let (day, time) = seconds.split_once('T').or_abort("a T parts day and time");
    format!("<time datetime=\"{at}\">{day} {time} UTC</time>")
}

fn summary(report: &Report) -> String {
    let mut sentences = Vec::new();
    if !report.complete {
        sentences.push("The last run was out of time before it had looked at everything.".to_owned());
    }
    let for_people = report.findings.iter().filter(|finding| finding.remedy == Remedy::None).count();
    match (report.findings.len(), for_people) {
        (0, _) => {}
        (_, 0) => sentences.push("No finding of the day waits for a person.".to_owned()),
        (_, 1) => sentences.push("1 finding of the day waits for a person.".to_owned()),
        (_, count) => sentences.push(format!("{count} findings of the day wait for a person.")),
    }
    if report.drift == 0 && !report.findings.is_empty() {
        sentences.push("What is listed was found by earlier runs of the day.".to_owned());
    }
    sentences.iter().map(|sentence| format!("<p>{sentence}</p>")).collect::<Vec<_>>().concat()
}

fn checked(report: &Report) -> String {
    let checked = &report.checked;
    let counts = [
        ("Refunds", checked.refunds),
        ("Payments, with all their refunds", checked.payments),
        ("Announced changes", checked.events),
        ("Refunds whose processor was asked", checked.asked),
        ("Refunds on their way, as they may be", checked.waiting),
    ];
    let counts = counts.iter().map(|(what, count)| format!("<div><dt>{what}</dt><dd>{count}</dd></div>"));
    counts.collect::<Vec<_>>().concat()
}

fn row(finding: &Finding) -> String {
    let ids = [
        finding.refund.as_ref().map(|id| escaped(id.as_str())),
        finding.payment.as_ref().map(|id| escaped(id.as_str())),
    ];
    let ids: Vec<String> = ids.into_iter().flatten().map(|id| format!("<code>{id}</code>")).collect();
    let class = if finding.remedy == Remedy::None { " class=\"person\"" } else { "" };
    format!(
        "<tr{class}>\
         <td data-label=\"What\"><strong>{}</strong> <bdi>{}</bdi></td>\
         <td data-label=\"About\">{}</td>\
         <td data-label=\"Done\">{}</td>\
         <td data-label=\"Found\">{}</td></tr>\n",
        sentence(finding.mismatch),
        escaped(finding.detail.as_str()),
        ids.join(" "),
        done(finding.remedy),
        moment(finding.found_at),
    )
}

fn findings(report: &Report) -> String {
    if report.findings.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Finding> = report.findings.iter().collect();
    sorted.sort_by_key(|finding| (urgency(finding.remedy), Reverse(finding.found_at)));
    let rows: String = sorted.into_iter().map(row).collect();
    format!(
        "<h2>Found that day</h2>\n<table><thead><tr><th>What</th><th>About</th><th>Done</th><th>Found</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table>\n"
    )
}

/// The page of a report.
pub(crate) fn of(report: &Report) -> String {
    let (class, verdict) = verdict(report);
    let environment = match report.tenant.environment {
        Environment::Sandbox => "Sandbox",
        Environment::Live => "Live",
    };
    let date = report.date();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{verdict} · Reconciliation of {date}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <p class=\"of\">Reconciliation of {date} · {environment} · <code>{account}</code></p>\n\
         <h1 class=\"{class}\">{verdict}</h1>\n{summary}\n\
         <h2>What was looked at</h2>\n<dl>{checked}</dl>\n\
         <p class=\"of\">The last run began {started}, ended {ended}, and looked at refunds made from {from} on.</p>\n\
         {findings}</main>\n</body>\n</html>\n",
        account = escaped(report.tenant.account.as_str()),
        summary = summary(report),
        checked = checked(report),
        started = moment(report.started_at),
        ended = moment(report.ended_at),
        from = moment(report.from),
        findings = findings(report),
    )
}

/// Light or dark as the reader prefers; on a narrow screen each row becomes a card.
const STYLE: &str = include_str!("page.css");
