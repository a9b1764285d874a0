//! The command for operators.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use dead_letters::{DeadLetter, DeadLetters};
use proto::bus::connect::NatsConfig;

/// Lists, shows and replays commands that could not be applied.
///
/// Texts of users are shown only with --content. The dead letters of a room are erased when it ends.
#[derive(Debug, Parser)]
#[command(name = "dead-letters", version)]
struct Options {
    #[command(flatten)]
    nats: NatsConfig,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One line each: number, time in seconds since 1970, subject, reason
    List,
    /// The payload of one
    Show {
        /// Its number
        number: u64,
        /// With the texts of users
        #[arg(long)]
        content: bool,
    },
    /// Publish them to their subjects again, and delete the dead letters
    Replay {
        /// Their numbers
        numbers: Vec<u64>,
        /// All dead letters
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

/// A failure does not stop the replay of the others.
async fn replay(letters: &DeadLetters, numbers: &[u64], all: bool) -> anyhow::Result<()> {
    ensure!(all || !numbers.is_empty(), "give numbers, or --all");
    let chosen = if all { letters.list().await?.into_iter().map(Ok).collect() } else { get(letters, numbers).await };
    let count = chosen.len();
    let mut failed = 0;
    for letter in chosen {
        if let Err(error) = replay_one(letters, letter).await {
            eprintln!("dead-letters: {error:#}");
            failed += 1;
        }
    }
    ensure!(failed == 0, "{failed} of {count} not replayed");
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
    let DeadLetter { number, stored_at, subject, reason, .. } = letter;
    format!("{number}\t{stored_at}\t{subject}\t{reason}")
}
