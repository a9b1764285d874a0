//! The command for operators.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use dead_letters::{DeadLetter, DeadLetters};
use proto::connection::Connection;

/// Commands that could not be applied: lists, shows and replays them.
///
/// What somebody wrote is not shown unless it is asked for. A room's dead letters are erased when it ends.
#[derive(Debug, Parser)]
#[command(name = "dead-letters", version)]
struct Options {
    #[command(flatten)]
    nats: Connection,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One line for each: number, when it died, where it was to be applied, why it could not be
    List,
    /// What one holds
    Show {
        /// Its number
        number: u64,
        /// Also what somebody wrote
        #[arg(long)]
        content: bool,
    },
    /// Gives them back to the stream that they came from
    Replay {
        /// Their numbers
        numbers: Vec<u64>,
        /// All that there are
        #[arg(long, conflicts_with = "numbers")]
        all: bool,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dead-letters: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> anyhow::Result<()> {
    let client = options.nats.options()?.connect(options.nats.addresses()).await.context("connecting to NATS")?;
    let letters = DeadLetters::open(client).await?;
    match options.action {
        Action::List => letters.list().await?.iter().for_each(|letter| println!("{}", line(letter))),
        Action::Show { number, content } => {
            let letter = letters.get(number).await?;
            let payload = if content { letter.content() } else { letter.redacted() };
            println!("{}\n{payload}", line(&letter));
        }
        Action::Replay { numbers, all } => replay(&letters, &numbers, all).await?,
    }
    Ok(())
}

async fn replay(letters: &DeadLetters, numbers: &[u64], all: bool) -> anyhow::Result<()> {
    ensure!(all || !numbers.is_empty(), "which? Give numbers, or --all");
    let chosen = letters.list().await?.into_iter().filter(|letter| all || numbers.contains(&letter.number));
    let mut count = 0;
    for letter in chosen {
        letters.replay(&letter).await?;
        println!("replayed {}", line(&letter));
        count += 1;
    }
    ensure!(all || count == numbers.len(), "only {count} of these numbers are there");
    Ok(())
}

fn line(letter: &DeadLetter) -> String {
    let DeadLetter { number, died_at, subject, reason, .. } = letter;
    format!("{number}\t{died_at}\t{subject}\t{reason}")
}
