//! Kafka's jars, fetched once by Maven into a cache that outlives the clone.
//!
//! Tests run against a real broker and never download anything themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{is_installed, run};

/// Pinned, because the timing and settings of the tests were tried with this release.
pub const KAFKA_VERSION: &str = "4.3.1";

/// The oldest Java that runs the broker.
const JAVA_MAJOR_MIN: u32 = 17;

/// Tells the test programs (testkit) where the jars are.
pub const KAFKA_VARIABLE: &str = "RONDO_TEST_KAFKA";

/// The folder with the broker's jars; fetches them first when this machine has none.
pub fn fetched() -> Result<PathBuf> {
    check_java()?;
    let jars = cache_directory()?.join(format!("kafka-{KAFKA_VERSION}"));
    if !jars.is_dir() {
        fetch(&jars)?;
    }
    Ok(jars)
}

/// Fetches into a folder beside the goal and renames it, so that an aborted fetch never looks complete.
fn fetch(goal: &Path) -> Result<()> {
    if !is_installed("mvn", "--version") {
        bail!(
            "Maven (`mvn`) is needed once, to fetch Kafka for the tests; install it (Debian: \
             `apt-get install maven`, macOS: `brew install maven`)"
        );
    }
    println!("fetching Kafka {KAFKA_VERSION} into {}", goal.display());
    let unfinished = PathBuf::from(format!("{}.unfinished-{}", goal.display(), std::process::id()));
    fs::create_dir_all(&unfinished)
        .with_context(|| format!("cannot create {}", unfinished.display()))?;
    let outcome = copy_jars(&unfinished).and_then(|()| {
        let broker = unfinished.join(format!("kafka_2.13-{KAFKA_VERSION}.jar"));
        if !broker.is_file() {
            bail!("Maven succeeded, but {} is missing", broker.display());
        }
        match fs::rename(&unfinished, goal) {
            // Another run may have finished its own copy in the meantime.
            Err(_) if goal.is_dir() => Ok(()),
            renamed => renamed.with_context(|| format!("cannot create {}", goal.display())),
        }
    });
    // Gone already after the rename.
    let _ = fs::remove_dir_all(&unfinished);
    outcome
}

fn copy_jars(folder: &Path) -> Result<()> {
    let pom = folder.join("pom.xml");
    fs::write(&pom, pom_text()).with_context(|| format!("cannot write {}", pom.display()))?;
    run(Command::new("mvn")
        // A wrong checksum is an error.
        .args(["--quiet", "--batch-mode", "--strict-checksums", "--file"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", folder.display())))
    .context("Kafka could not be fetched; is there a network connection?")
}

/// The broker, and the log binding for its SLF4J 1.x.
fn pom_text() -> String {
    format!(
        r#"<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>rondo</groupId>
  <artifactId>test-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.25.3</version>
    </dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-dependency-plugin</artifactId>
        <version>3.8.1</version>
      </plugin>
    </plugins>
  </build>
</project>
"#
    )
}

fn check_java() -> Result<()> {
    let hint = format!(
        "Java {JAVA_MAJOR_MIN} or newer is needed to run Kafka for the tests (Debian: `apt-get \
         install openjdk-17-jre-headless`, macOS: `brew install openjdk`)"
    );
    let output = Command::new("java").arg("-version").output().context(hint.clone())?;
    let text = String::from_utf8_lossy(&output.stderr);
    match java_major(&text) {
        Some(major) if output.status.success() && major >= JAVA_MAJOR_MIN => Ok(()),
        Some(major) if output.status.success() => bail!("{hint}; `java` on PATH is {major}"),
        _ => bail!("{hint}; `java -version` said {:?}", text.trim()),
    }
}

/// The major version in the output of `java -version`; 8 and older call themselves 1.8 and so on.
fn java_major(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let mut numbers = version.split(['.', '-', '+', '_']).map(str::parse::<u32>);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

/// `$XDG_CACHE_HOME/rondo` or `~/.cache/rondo`, where testkit looks, too.
pub fn cache_directory() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(named) if !named.is_empty() => PathBuf::from(named),
        _ => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("rondo"))
}

#[cfg(test)]
mod tests {
    use super::java_major;

    #[test]
    fn java_versions() {
        for (printed, major) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK …", Some(17)),
            ("java version \"1.8.0_402\"", Some(8)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            ("The operation couldn't be completed", None),
        ] {
            assert_eq!(java_major(printed), major, "{printed}");
        }
    }
}
