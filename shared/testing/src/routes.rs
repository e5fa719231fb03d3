//! The resources of `template.yaml`, and its routes, each with the function it is led to.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// A route of the deployment.
#[derive(Debug)]
pub struct Route {
    /// The gateway's key, as `PUT /v1/payments/{payment_id}`.
    pub key: String,
    /// The binary of its function.
    pub function: String,
    /// Whether the authorizer stands before it.
    pub authorized: bool,
}

/// The resources, with what they share written out. A function such as `!GetAtt X.Arn` reads as its text.
pub static RESOURCES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let template: Value =
        serde_saphyr::from_str(include_str!("../../../template.yaml")).expect("template.yaml is YAML");
    template["Resources"].as_object().expect("resources").clone()
});

/// All routes, `$default` included.
pub static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let resources = &*RESOURCES;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let routes = resources.values().filter(|resource| resource["Type"] == "AWS::ApiGatewayV2::Route");
    let routes = routes.map(|route| {
        let route = &route["Properties"];
        let target = text(&route["Target"]);
        let integration = target.strip_prefix("integrations/${").and_then(|rest| rest.strip_suffix('}'));
        let uri = text(&resources[integration.expect("an integration")]["Properties"]["IntegrationUri"]);
        let function = &resources[uri.strip_suffix(".Arn").expect("an address")];
        let authorized = match text(&route["AuthorizationType"]).as_str() {
            "CUSTOM" => true,
            "NONE" => false,
            other => panic!("{other} is no authorization of ours"),
        };
        let function = text(&function["Metadata"]["BuildProperties"]["Binary"]);
        Route { key: text(&route["RouteKey"]), function, authorized }
    });
    routes.collect()
});
