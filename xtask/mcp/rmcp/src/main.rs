//! What a user does with an assistant, by the official Rust client: `rondo-mcp-story stateless|initialized URL TOKEN`.

use anyhow::{Context, Result, bail, ensure};
use rmcp::model::{
    CallToolRequestParams, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ProtocolVersion, ReadResourceRequestParams,
};
use rmcp::service::{RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, ErrorData, RoleClient};
use serde_json::{Value, json};

/// Asks the user what a tool asks, and calls it again with the answer.
type Client = RunningService<RoleClient, User>;

/// A user who agrees to deletions.
struct User {
    shows_forms: bool,
}

impl ClientHandler for User {
    fn get_info(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        if self.shows_forms {
            config.capabilities.elicitation = Some(Default::default());
        }
        config
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        match request {
            ElicitRequestParams::FormElicitationParams { message, .. }
                if message.starts_with("Deletes:") =>
            {
                Ok(ElicitResult::new(ElicitationAction::Accept)
                    .with_content(json!({ "confirm": true })))
            }
            other => Err(ErrorData::invalid_params(format!("{other:?}"), None)),
        }
    }
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> Result<Value> {
    let Value::Object(arguments) = arguments else { bail!("arguments are an object") };
    let result =
        client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?;
    ensure!(result.is_error != Some(true), "{tool}: {result:?}");
    result.structured_content.with_context(|| format!("{tool} has no structured content"))
}

async fn count(client: &Client) -> Result<usize> {
    Ok(call(client, "list_tasks", json!({})).await?["tasks"].as_array().map_or(0, Vec::len))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [generation, url, token] = &arguments[..] else { bail!("GENERATION URL TOKEN") };
    let is_stateless = generation == "stateless";
    let lifecycle = if is_stateless {
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
    } else {
        ClientLifecycleMode::Initialize
    };
    let config =
        StreamableHttpClientTransportConfig::with_uri(url.as_str()).auth_header(token.as_str());
    let transport = StreamableHttpClientTransport::from_config(config);
    let user = User { shows_forms: is_stateless };
    let client = user.serve_with_lifecycle(transport, lifecycle).await?;
    ensure!(client.list_all_tools().await?.len() == 12, "twelve tools");

    let tasks =
        json!([{ "text": "Call Bob tomorrow 9am #home" }, { "title": "Buy milk", "uid": "milk" }]);
    let added = call(&client, "add_task", json!({ "tasks": tasks })).await?;
    let (bob, milk) = (added["tasks"][0]["id"].clone(), added["tasks"][1]["id"].clone());
    call(&client, "complete_task", json!({ "ids": [bob] })).await?;
    let open = call(&client, "list_tasks", json!({ "status": ["pending"] })).await?;
    ensure!(open["tasks"][0]["id"] == milk, "{open}");
    let read = client.read_resource(ReadResourceRequestParams::new("rondo://tasks/milk")).await?;
    ensure!(format!("{read:?}").contains("Buy milk"), "{read:?}");
    let completed = client.complete_prompt_simple("plan_my_day", "tag", "ho").await?;
    ensure!(completed == ["home"], "{completed:?}");

    let mut gone = call(&client, "delete_task", json!({ "ids": [milk] })).await?;
    if !is_stateless {
        ensure!(count(&client).await? == 2, "nothing is deleted yet");
        let confirmed = json!({ "ids": [milk], "confirm": gone["confirm"] });
        gone = call(&client, "delete_task", confirmed).await?;
    }
    ensure!(count(&client).await? == 1, "one is deleted");
    call(&client, "update_task", json!({ "undo": gone["undo"] })).await?;
    ensure!(count(&client).await? == 2, "it is back");
    ensure!(
        call(&client, "get_task", json!({ "id": 1_000_000_000 })).await.is_err(),
        "no such task"
    );
    client.cancel().await?;
    println!("played");
    Ok(())
}
