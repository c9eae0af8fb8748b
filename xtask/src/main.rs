//! `cargo xtask`: the one task runner. A person and CI run the same commands.
//!
//! It depends on the standard library and anyhow alone, because cargo compiles it before anything else.
//! What needs the project's crates is a binary of testkit or bench, which it starts.

mod artifact;
mod bench;
mod cargo;
mod check;
mod image;
mod kafka;
mod kubernetes;
#[allow(dead_code, reason = "the checks that need it follow")]
mod node;
mod oracle;
mod planted;
mod python;
mod report;
mod service;
mod tool;
mod up;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  up [ARGS...]           build everything and start Rondo; ARGS go to `rondo up`
  test [--only PART]...  run every check, or just the named parts (`test --list` names them);
                         what follows `--` goes to the test programs
  planted-bugs [BUG]...  plant bugs in a copy and check that the tests notice them
  build [--dist]         build the components and the two binaries; --dist: with link-time
                         optimization and a bill of materials, for servers
  image                  write the images to target/image, without a container engine
  document               write the generated documents in docs/
  chart                  write k8s/chart/README.md from values.yaml
  bench events|reminders|api|recovery ...
                         build and run a benchmark; further arguments go to it
  cluster                install the chart on a real node in namespaces of its own, and try an
                         upgrade under load, failures and alerts; needs root and some packages
  oracle [--rules N] [--seed N]
                         generated recurrence rules against python-dateutil
  kafka [ARGS...]        fetch Kafka once and run a broker in the foreground
  postgres               run a private Postgres as the tests use it, in the foreground
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let outcome = match command.as_deref() {
        Some("up") => up::run(&rest),
        Some("test") => check::run(&rest),
        Some("build") => match &*rest {
            [] => artifact::build_all(),
            [option] if option == "--dist" => artifact::build_dist(),
            _ => {
                eprintln!("error: `build` takes nothing or --dist\n\n{HELP}");
                return ExitCode::from(2);
            }
        },
        Some("image") => image::write(),
        Some("document") => artifact::document(),
        Some("chart") => kubernetes::document(),
        Some("cluster") => kubernetes::node::run(&rest),
        Some("planted-bugs") => planted::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("oracle") => oracle::run(&rest),
        Some("kafka") => service::kafka(&rest),
        Some("postgres") => service::postgres(&rest),
        None | Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        Some(other) => {
            eprintln!("error: there is no command {other:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
