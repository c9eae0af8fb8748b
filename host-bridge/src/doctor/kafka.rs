//! The brokers: whether topics are as in crates/contract, and the lag of the consumer groups.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::Metadata;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use rondo_contract::capability::{CAPABILITIES, Capability};
use rondo_contract::topic::TOPICS;
use rondo_kafka::KafkaSettings;

use super::report::Report;

/// Time limit for one response of the brokers.
const ANSWER: Duration = Duration::from_secs(5);
/// Maximum lag of a group that keeps up.
const LAG_MAX: i64 = 1_000;
const DAY_MS: u64 = 86_400_000;

/// Examines the brokers of these settings.
pub async fn examine(report: &mut Report, settings: &KafkaSettings) {
    let config = settings.client_config();
    let brokers = settings.brokers.clone();
    let asking = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || topics_and_groups(&config))
    };
    let (metadata, groups) = match asking.await.map_err(anyhow::Error::from).flatten() {
        Ok(found) => found,
        Err(error) => {
            let finding = format!("{brokers}: {}", rondo_database::explain(&*error));
            let advice =
                "start the broker, or correct KAFKA_BROKERS, KAFKA_SECURITY_PROTOCOL and the login";
            report.wrong("kafka", finding, advice);
            return;
        }
    };
    report.ok("kafka", format!("{brokers}, {} in the cluster", metadata.brokers));
    topics(report, &metadata);
    retention(report, &config, &metadata).await;
    for (capability, group) in groups {
        lag(report, capability, group);
    }
}

/// The brokers, and each topic's partitions with their replicas.
struct Found {
    brokers: usize,
    topics: HashMap<String, Vec<usize>>,
}

/// A group's lag; none before it has read anything.
struct Group {
    lag: Option<i64>,
    members: usize,
}

type Groups = Vec<(&'static Capability, anyhow::Result<Group>)>;

fn topics_and_groups(config: &ClientConfig) -> anyhow::Result<(Found, Groups)> {
    let consumer: BaseConsumer = config.clone().set("group.id", "rondo-doctor").create()?;
    // All visible topics: a request for one by name would create it.
    let metadata: Metadata = consumer.fetch_metadata(None, ANSWER)?;
    let partitions = |topic: &rdkafka::metadata::MetadataTopic| {
        topic.partitions().iter().map(|partition| partition.replicas().len()).collect()
    };
    let topics: HashMap<String, Vec<usize>> = metadata
        .topics()
        .iter()
        .map(|topic| (topic.name().to_owned(), partitions(topic)))
        .collect();
    let groups = CAPABILITIES
        .into_iter()
        .map(|capability| (capability, group(config, capability, &topics)))
        .collect();
    Ok((Found { brokers: metadata.brokers().len(), topics }, groups))
}

fn group(
    config: &ClientConfig,
    capability: &Capability,
    topics: &HashMap<String, Vec<usize>>,
) -> anyhow::Result<Group> {
    let name = crate::pipeline::transport::kafka::reader::group_of(capability);
    let consumer: BaseConsumer = config.clone().set("group.id", &name).create()?;
    let mut wanted = TopicPartitionList::new();
    for topic in capability.topics {
        let count = topics.get(topic.name).map_or(0, Vec::len);
        for partition in 0..i32::try_from(count)? {
            wanted.add_partition(topic.name, partition);
        }
    }
    let mut lag = None;
    for element in consumer.committed_offsets(wanted, ANSWER)?.elements() {
        element.error()?;
        let (low, high) =
            consumer.fetch_watermarks(element.topic(), element.partition(), ANSWER)?;
        match element.offset() {
            Offset::Offset(offset) => *lag.get_or_insert(0) += (high - offset.max(low)).max(0),
            // Nothing is committed, so the group starts at the beginning.
            _ if high > low => *lag.get_or_insert(0) += high - low,
            _ => {}
        }
    }
    let list = consumer.fetch_group_list(Some(&name), ANSWER)?;
    let members = list.groups().first().map_or(0, |group| group.members().len());
    Ok(Group { lag, members })
}

fn topics(report: &mut Report, found: &Found) {
    let mut is_fine = true;
    for topic in TOPICS {
        let Some(partitions) = found.topics.get(topic.name).filter(|found| !found.is_empty())
        else {
            is_fine = false;
            report.wrong(
                "topics",
                format!("{} is missing, or this login may not see it", topic.name),
                "start `rondo bridge` (or `rondo up`), which makes it, or allow the login to describe it",
            );
            continue;
        };
        if partitions.len() < usize::from(topic.partitions) {
            is_fine = false;
            let (name, needed) = (topic.name, topic.partitions);
            report.wrong(
                "topics",
                format!("{name} has {} partitions, fewer than {needed}", partitions.len()),
                format!("add partitions (`kafka-topics.sh --alter --topic {name} --partitions {needed}`)"),
            );
        }
        let replicas = partitions.iter().min().copied().unwrap_or_default();
        if replicas < 2 && found.brokers > 1 {
            is_fine = false;
            report.warning(
                "topics",
                format!("{} has partitions with one replica", topic.name),
                "give it three, so that a broker can be lost",
            );
        }
    }
    if is_fine {
        report.ok("topics", format!("all {} are there, with their partitions", TOPICS.len()));
    }
}

async fn retention(report: &mut Report, config: &ClientConfig, found: &Found) {
    let there: Vec<_> =
        TOPICS.iter().filter(|topic| found.topics.contains_key(topic.name)).collect();
    let wanted: Vec<_> = there.iter().map(|topic| ResourceSpecifier::Topic(topic.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
    let described = match config.create::<AdminClient<DefaultClientContext>>() {
        Ok(admin) => admin.describe_configs(&wanted, &options).await,
        Err(error) => Err(error),
    };
    let advice = "allow this login DescribeConfigs on the topics, or look with `kafka-configs.sh`";
    let described = match described {
        Ok(described) => described,
        Err(error) => return report.warning("retention", error.to_string(), advice),
    };
    let mut is_fine = true;
    for (topic, resource) in there.into_iter().zip(described) {
        let kept = match resource {
            Ok(resource) => resource.get("retention.ms").and_then(|entry| entry.value.clone()),
            Err(error) => {
                is_fine = false;
                report.warning("retention", format!("{}: {error}", topic.name), advice);
                continue;
            }
        };
        // -1 means forever.
        let kept_ms: i64 = kept.and_then(|kept| kept.parse().ok()).unwrap_or(-1);
        let needed_ms = u64::from(topic.retention_days) * DAY_MS;
        if kept_ms >= 0 && kept_ms.unsigned_abs() < needed_ms {
            is_fine = false;
            report.warning(
                "retention",
                format!("{} keeps events for {} h", topic.name, kept_ms / 3_600_000),
                format!(
                    "set its retention.ms to {needed_ms}: what is away for longer than it loses events"
                ),
            );
        }
    }
    if is_fine {
        report.ok("retention", "as long as events are needed");
    }
}

fn lag(report: &mut Report, capability: &Capability, group: anyhow::Result<Group>) {
    let name = capability.name;
    match group {
        Err(error) => report.wrong(
            "consumers",
            format!("{name}: {}", rondo_database::explain(&*error)),
            "allow the bridge's login to read its group and topics",
        ),
        Ok(Group { members: 0, lag }) => report.wrong(
            "consumers",
            format!("nobody reads for {name}, {} waiting", lag.unwrap_or_default()),
            "start `rondo bridge` (or `rondo up`); one that was just started needs some seconds",
        ),
        Ok(Group { lag: Some(lag), .. }) if lag > LAG_MAX => report.warning(
            "consumers",
            format!("{name}, {lag} waiting"),
            "look again: if it grows, see the bridge's log and /health/ready",
        ),
        Ok(Group { lag, .. }) => {
            report.ok("consumers", format!("{name}, {} waiting", lag.unwrap_or_default()))
        }
    }
}
