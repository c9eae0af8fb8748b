//! How the native programs reach Kafka: the settings, and a client's configuration.

mod settings;

pub use settings::{KafkaOptions, KafkaSettings, SaslLogin, SaslMechanism, SecurityProtocol};
