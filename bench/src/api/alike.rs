//! Whether the three answer byte for byte alike. Otherwise one might be fast because it does less.

use anyhow::{Context as _, ensure};
use rondo_testkit::http::Response;

use super::plan::{CREATE, LIST, task};
use super::stage::{Server, Stage};

/// Headers that have to be alike, too.
const HEADERS: [&str; 3] = ["content-type", "content-length", "link"];
/// Members of a created task that differ from one to the next.
const ITS_OWN: [&str; 6] = ["id", "uid", "position", "revision", "created_at", "updated_at"];
/// Accounts whose lists are compared.
const USERS: usize = 10;

/// # Errors
/// When two answers differ, with both.
pub async fn check(stage: &Stage, servers: &[Server; 3]) -> anyhow::Result<()> {
    for user in stage.ids().take(USERS) {
        let mut lists = Vec::new();
        for server in servers {
            let client = server.client(&stage.token(user));
            let first = answer(server, client.get(LIST).await?, 200)?;
            let next = next_page(&first).context("a list has a next page")?;
            let second = answer(server, client.get(&next).await?, 200)?;
            let headers =
                |page: &Response| HEADERS.map(|name| page.header(name).map(str::to_owned));
            lists.push((headers(&first), first.text(), headers(&second), second.text()));
        }
        ensure_alike(servers, &lists)?;
    }
    let user = stage.ids().next().context("there are users")?;
    let mut tasks = Vec::new();
    for server in servers {
        let client = server.client(&stage.token(user));
        let created = answer(server, client.post(CREATE, &task()).await?, 201)?;
        let json = created.json();
        let location = format!("/api/{user}/tasks/{}", json["id"]);
        ensure!(created.header("location") == Some(&location), "{}: Location", server.name);
        let etag = format!("\"{}\"", json["revision"]);
        ensure!(created.header("etag") == Some(&etag), "{}: ETag", server.name);
        tasks.push(without_its_own(created.text()));
    }
    ensure_alike(servers, &tasks)
}

fn answer(server: &Server, response: Response, status: u16) -> anyhow::Result<Response> {
    ensure!(
        response.status == status,
        "{}: {} {}\n{}",
        server.name,
        response.status,
        response.text(),
        server.said()
    );
    Ok(response)
}

/// The target of `Link`.
fn next_page(response: &Response) -> Option<String> {
    let (_, link) = response.header("link")?.split_once('<')?;
    Some(link.split_once('>')?.0.to_owned())
}

fn ensure_alike<T: PartialEq + std::fmt::Debug>(
    servers: &[Server; 3],
    answers: &[T],
) -> anyhow::Result<()> {
    for (server, answer) in servers.iter().zip(answers) {
        ensure!(
            *answer == answers[0],
            "{} and {} answer differently:\n{:?}\n{answer:?}",
            servers[0].name,
            server.name,
            answers[0]
        );
    }
    Ok(())
}

/// The text of a task with the values of such members cut out; none of them has a comma in it.
fn without_its_own(mut text: String) -> String {
    for name in ITS_OWN {
        let Some(start) = text.find(&format!("\"{name}\"")) else { continue };
        let start = start + name.len() + 2;
        let length = text[start..].find([',', '}']).unwrap_or(0);
        text.replace_range(start..start + length, "");
    }
    text
}
