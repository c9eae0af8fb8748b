//! The spans of an event's way: sent by the relay to each of its topics, processed by each consumer.
//!
//! Each is the parent of the next: an event is passed on with the `traceparent` of its last span. An event
//! whose trace is not recorded keeps its own.

use rondo_contract::cloud_event::{CloudEvent, Disposition};
use rondo_contract::topic::Topic;
use rondo_telemetry::Span;
use rondo_telemetry::span::Kind;

use super::delivery::DeliveryError;
use super::queue::Item;
use super::record::Record;

/// `messaging.system` of the transports.
pub(super) const LOCAL: &str = "rondo";
pub(super) const KAFKA: &str = "kafka";

/// A span for each topic, in their order; none at all if the event's trace is not recorded. They end when
/// the transport has the event.
pub(super) fn sending(
    record: &Record,
    topics: &[&'static Topic],
    system: &'static str,
) -> Vec<Span> {
    let trace = record.event.traceparent.as_deref();
    let begin = |topic: &&'static Topic| {
        let mut span = Span::below(Kind::Producer, trace, || format!("send {}", topic.name))?;
        describe(&mut span, system, topic.name, "send", &record.event);
        Some(span)
    };
    topics.iter().map_while(begin).collect()
}

/// A batch that a consumer works on.
pub(super) struct Processing(Vec<(usize, Span)>);

impl Processing {
    /// Begins the spans of `items`, and passes them on by `events`, which are copies of theirs.
    pub(super) fn begin(consumer: &'static str, items: &[Item], events: &mut [CloudEvent]) -> Self {
        let mut spans = Vec::new();
        for (place, (item, event)) in items.iter().zip(events).enumerate() {
            let trace = event.traceparent.as_deref();
            let name = || format!("process {}", event.topic);
            let Some(mut span) = Span::below(Kind::Consumer, trace, name) else { continue };
            let system = if item.record.position.is_some() { KAFKA } else { LOCAL };
            describe(&mut span, system, &event.topic, "process", event);
            span.text("messaging.consumer.group.name", consumer);
            if let Some((partition, offset)) = item.record.position {
                span.text("messaging.destination.partition.id", partition.to_string());
                span.number("messaging.kafka.offset", offset);
            }
            event.traceparent = Some(span.traceparent());
            spans.push((place, span));
        }
        Self(spans)
    }

    /// Ends them as the delivery did.
    pub(super) fn end(self, result: &Result<Vec<Disposition>, DeliveryError>) {
        for (place, mut span) in self.0 {
            match result.as_ref().map(|dispositions| dispositions.get(place)) {
                Ok(Some(Disposition::Done)) => {}
                Ok(Some(Disposition::Retry { .. }) | None) => span.fail("retry"),
                Ok(Some(Disposition::Reject { .. })) => span.fail("rejected"),
                Err(DeliveryError::Unavailable(_)) => span.fail("unavailable"),
                Err(DeliveryError::Failed(_)) => span.fail("failed"),
            }
        }
    }
}

fn describe(
    span: &mut Span,
    system: &'static str,
    topic: &str,
    operation: &'static str,
    event: &CloudEvent,
) {
    span.text("messaging.system", system);
    span.text("messaging.destination.name", topic);
    span.text("messaging.operation.name", operation);
    span.text("messaging.operation.type", operation);
    span.text("messaging.message.id", &*event.id);
    span.text("cloudevents.event_type", &*event.event_type);
}
