//! The command for operators.

use std::{collections::BTreeSet, process::ExitCode};

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

/// One that cannot be replayed keeps none of the others back.
async fn replay(letters: &DeadLetters, numbers: &[u64], all: bool) -> anyhow::Result<()> {
    ensure!(all || !numbers.is_empty(), "which? Give numbers, or --all");
    let chosen = if all { letters.list().await?.into_iter().map(Ok).collect() } else { get(letters, numbers).await };
    let count = chosen.len();
    let mut left = 0;
    for letter in chosen {
        if let Err(error) = replay_one(letters, letter).await {
            eprintln!("dead-letters: {error:#}");
            left += 1;
        }
    }
    ensure!(left == 0, "{left} of {count} could not be replayed");
    Ok(())
}

async fn get(letters: &DeadLetters, numbers: &[u64]) -> Vec<anyhow::Result<DeadLetter>> {
    let mut chosen = Vec::new();
    for number in BTreeSet::from_iter(numbers) {
        chosen.push(letters.get(*number).await);
    }
    chosen
}

async fn replay_one(letters: &DeadLetters, letter: anyhow::Result<DeadLetter>) -> anyhow::Result<()> {
    let letter = letter?;
    letters.replay(&letter).await.with_context(|| format!("{} is still a dead letter", letter.number))?;
    println!("replayed {}", line(&letter));
    Ok(())
}

fn line(letter: &DeadLetter) -> String {
    let DeadLetter { number, died_at, subject, reason, .. } = letter;
    format!("{number}\t{died_at}\t{subject}\t{reason}")
}
