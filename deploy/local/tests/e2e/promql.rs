//! What the dashboard and the alert rules ask Prometheus for.

use promql_parser::{
    label::Matcher,
    parser::{self, Expr, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use serde_json::Value;
use std::{convert::Infallible, path::Path};

/// Labels that Prometheus itself gives, or makes of a histogram.
pub(crate) const GIVEN: [&str; 3] = ["job", "instance", "le"];

/// One metric that an expression wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The whole expression, for messages.
    pub(crate) expression: String,
    pub(crate) metric: String,
    pub(crate) matchers: Vec<Matcher>,
    /// The labels that the expression groups by.
    pub(crate) grouped_by: Vec<String>,
}

/// The expressions of all panels.
pub(crate) fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("../observability/dashboard.json")).expect("JSON");
    assert_eq!(dashboard["templating"]["list"][0]["name"], "datasource");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    targets
        .map(|target| {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{target}");
            target["expr"].as_str().expect("an expression").replace("$__rate_interval", "5m")
        })
        .collect()
}

/// The expressions of all rules, each of which the runbook explains.
pub(crate) fn alerts() -> Vec<String> {
    let runbook = read("../README.md");
    let alerts: Value = serde_saphyr::from_str(&read("../observability/alerts.yaml")).expect("YAML");
    let rules = alerts["groups"].as_array().expect("groups").iter().flat_map(|group| group["rules"].as_array());
    rules
        .flatten()
        .map(|rule| {
            let name = rule["alert"].as_str().expect("a name");
            assert!(runbook.contains(&format!("\n### {name}\n")), "no heading in the runbook: {name}");
            assert!(rule["annotations"]["summary"].is_string(), "{rule}");
            let severity = rule["labels"]["severity"].as_str();
            assert!(severity.is_some_and(|severity| ["page", "ticket"].contains(&severity)), "{rule}");
            rule["expr"].as_str().expect("an expression").to_owned()
        })
        .collect()
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every metric that an expression wants.
pub(crate) fn wanted(expression: &str) -> Vec<Wanted> {
    let parsed = parser::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let mut found = Found::default();
    match walk_expr(&mut found, &parsed) {
        Ok(_) => {}
        Err(never) => match never {},
    }
    let Found { selectors, grouped_by } = found;
    let wanted = |selector: VectorSelector| Wanted {
        expression: expression.to_owned(),
        metric: selector.name.expect("a name"),
        matchers: selector.matchers.matchers,
        grouped_by: grouped_by.clone(),
    };
    selectors.into_iter().map(wanted).collect()
}

#[derive(Default)]
struct Found {
    selectors: Vec<VectorSelector>,
    grouped_by: Vec<String>,
}

impl ExprVisitor for Found {
    type Error = Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Infallible> {
        match expression {
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            Expr::MatrixSelector(range) => self.selectors.push(range.vs.clone()),
            Expr::Aggregate(aggregate) => {
                let labels = aggregate.modifier.iter().flat_map(|modifier| &modifier.labels().labels);
                self.grouped_by.extend(labels.cloned());
            }
            _ => {}
        }
        Ok(true)
    }
}
