//! `rondo demo`: fills an account with believable tasks, over HTTP as any client would, so that there is something to
//! look at.

use std::time::SystemTime;

use anyhow::{Context as _, anyhow, bail, ensure};
use bytes::Bytes;
use clap::Args;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use rondo_domain::instant::Instant;
use rondo_domain::jiff::ToSpan as _;
use rondo_domain::zone::Zone;
use serde_json::{Value, json};

use crate::jwks;

/// Maximum length of a response, in bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Lists: name, colour, sign.
const LISTS: [(&str, &str, &str); 4] = [
    ("Home", "#2f9e6e", "🏡"),
    ("Work", "#3b6fd8", "💼"),
    ("Groceries", "#c77d0a", "🛒"),
    ("Lisbon in spring", "#b4479c", "✈️"),
];

/// Tags that have a colour.
const TAGS: [(&str, &str); 4] =
    [("calls", "#3b6fd8"), ("garden", "#2f9e6e"), ("money", "#c77d0a"), ("reading", "#7a5cc9")];

/// Tasks: the list, or nothing for the inbox, a quick-add line, and the steps.
const TASKS: [(&str, &str, &[&str]); 30] = [
    ("Work", "Team standup every weekday at 9:30am #meetings !10 min before", &[]),
    (
        "Work",
        "Prepare the quarterly review today at 2pm p1 // Numbers from Ada, slides from last time",
        &["Collect the numbers", "Draft the slides", "Rehearse once"],
    ),
    ("Work", "Answer Grace about the contract today p2 #calls", &[]),
    ("Work", "1:1 with Linus every other tuesday at 11am #meetings", &[]),
    ("Work", "Send the invoice every last day p2 #money", &[]),
    ("Work", "Book a room for the workshop in 4 days", &[]),
    ("Work", "Read the paper on consensus next friday #reading", &[]),
    ("Work", "Plan the offsite in 3 weeks p3", &["Ask for dates", "Find a place", "Agenda"]),
    ("Work", "Renew the certificate in 2 months p1 !7 days before", &[]),
    ("Home", "Water the plants every 3 days #garden", &[]),
    ("Home", "Take out the bins every thursday at 7am !10 hours before", &[]),
    ("Home", "Call mum every sunday at 5pm #calls", &[]),
    ("Home", "Pay the rent every 1st p1 #money", &[]),
    ("Home", "Dentist in 9 days at 3:15pm !1 day before !1 hour before", &[]),
    ("Home", "Return the library books tomorrow #reading p2", &[]),
    ("Home", "Repair the bike this weekend", &["Buy a tube", "True the wheel", "Clean the chain"]),
    ("Home", "Plant the tomatoes in 12 days #garden", &[]),
    ("Home", "Change the water filter every 3 months", &[]),
    ("Home", "Renew the passport in 5 weeks p2 // Photos first: 35 x 45 mm", &[]),
    ("Home", "Back up the photos every! month", &[]),
    ("Groceries", "Oat milk", &[]),
    ("Groceries", "Coffee beans", &[]),
    ("Groceries", "Tomatoes, basil, mozzarella today", &[]),
    ("Groceries", "Washing powder", &[]),
    ("Lisbon in spring", "Compare the night trains tomorrow", &[]),
    ("Lisbon in spring", "Book the flat near Graça in 6 days p2", &[]),
    ("Lisbon in spring", "Learn twenty words of Portuguese every day at 8pm #reading", &[]),
    ("", "Run 5 km every monday, wednesday, friday at 6:30am", &[]),
    ("", "Think about a present for Ada in 8 days", &[]),
    ("", "Finish “The Left Hand of Darkness” #reading", &[]),
];

/// Tasks that are completed already.
const COMPLETED: [&str; 4] = [
    "Cancel the gym",
    "File the tax return p1 #money",
    "Order new glasses",
    "Fix the doorbell #garden",
];

/// Overdue tasks, which quick add does not make: title, and how many days ago.
const OVERDUE: [(&str, i64); 2] =
    [("Review the access rights", 1), ("Ask the landlord about the heating", 3)];

/// Saved filters: name and query.
const FILTERS: [(&str, &str); 3] = [
    ("Important", "priority=urgent,high&status=pending,in_progress"),
    ("This week", "due_date_end=%2B7d&status=pending"),
    ("Phone calls", "tags=calls&status=pending"),
];

#[derive(Args)]
pub struct DemoArgs {
    /// Address of the running Rondo.
    #[arg(long, env = "PUBLIC_URL", default_value = "http://127.0.0.1:3000", value_name = "URL")]
    url: String,
    /// Address of the account to make.
    #[arg(long, default_value = "demo@example.org")]
    email: String,
    /// Time zone of the account.
    #[arg(long, default_value = "UTC")]
    time_zone: String,
}

/// Makes the account and its tasks. Prints how to sign in.
///
/// # Errors
/// If the address cannot be reached, or refuses something; an account of that e-mail address is left alone.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let zone = Zone::parse(&args.time_zone)
        .map_err(|fault| anyhow!("--time-zone {}: {fault}", args.time_zone))?;
    let password = rondo_database::secret::generate().map_err(anyhow::Error::msg)?;
    let mut client = Client { base: args.url.trim_end_matches('/').to_owned(), token: None };
    let account = json!({
        "email": args.email, "password": password, "name": "Demo", "time_zone": args.time_zone,
    });
    let session = client
        .post("/api/auth/register", &account)
        .await
        .with_context(|| format!("cannot make the account {}", args.email))?;
    client.token = session["access_token"].as_str().map(str::to_owned);
    client.fill(&zone).await?;
    println!("{}\n  e-mail    {}\n  password  {password}", client.base, args.email);
    Ok(())
}

struct Client {
    base: String,
    token: Option<String>,
}

impl Client {
    async fn fill(&self, zone: &Zone) -> anyhow::Result<()> {
        let mut lists = Vec::new();
        for (name, color, icon) in LISTS {
            let list = json!({ "name": name, "color": color, "icon": icon });
            lists.push((name, self.post("/api/lists", &list).await?["id"].clone()));
        }
        for (list, line, steps) in TASKS {
            let list = lists.iter().find(|(name, _)| *name == list).map(|(_, id)| id.clone());
            let task = self.add(line, list.as_ref()).await?;
            for step in steps {
                let step = json!({ "title": step, "subtask_of": task["id"], "list_id": list });
                self.post("/api/tasks", &step).await?;
            }
        }
        for line in COMPLETED {
            let id = self.add(line, None).await?["id"].to_string();
            self.post(&format!("/api/tasks/{id}/complete"), &json!({})).await?;
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros();
        let now = i64::try_from(now).ok().and_then(Instant::from_microsecond);
        let today = zone.local_of(now.context("the clock is beyond the calendar")?).date();
        for (title, days) in OVERDUE {
            let day = today.checked_sub(days.days()).map_err(|error| anyhow!("{error}"))?;
            self.post("/api/tasks", &json!({ "title": title, "due_day": day.to_string() })).await?;
        }
        for (name, query) in FILTERS {
            self.post("/api/filters", &json!({ "name": name, "query": query })).await?;
        }
        for (name, color) in TAGS {
            self.send("PUT", &format!("/api/tags/{name}"), &json!({ "color": color })).await?;
        }
        Ok(())
    }

    async fn add(&self, line: &str, list: Option<&Value>) -> anyhow::Result<Value> {
        let mut body = json!({ "text": line });
        if let Some(list) = list {
            body["list_id"] = list.clone();
        }
        self.post("/api/quick-add", &body).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send("POST", path, body).await
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder()
            .method(method)
            .uri(&url)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::<Bytes>::from(body.to_string()))?;
        let response = jwks::client()?
            .request(request)
            .await
            .with_context(|| format!("cannot reach {url}"))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !parts.status.is_success() {
            let reason = answer["detail"].as_str().or(answer["title"].as_str()).unwrap_or_default();
            bail!("{method} {path}: {} {reason}", parts.status);
        }
        ensure!(body.is_empty() || answer.is_object(), "{url} answers something else");
        Ok(answer)
    }
}
