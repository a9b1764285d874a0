//! A short, fixed selection of faults, each once. The long run is the command.

use std::time::Duration;

use chaos::{
    faults::Fault,
    run::{Plan, run},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_promises_hold_while_one_of_each_is_killed_and_a_bus_hangs() -> anyhow::Result<()> {
    let faults = vec![
        Fault::KillChatStore,
        Fault::KillMatcher,
        Fault::KillGateway,
        Fault::KillNats,
        Fault::KillMongodb,
        Fault::DrainGateway,
        Fault::StepDown,
        Fault::PauseNats,
        Fault::SuspendBus,
    ];
    let (executable, time, calm) = (env!("CARGO_BIN_EXE_chaos").into(), Duration::ZERO, Duration::from_secs(10));
    let report = run(Plan { executable, seed: 7, time, calm, users: 24, faults }, |line| eprintln!("{line}")).await?;
    eprintln!("{report}");
    assert!(report.violations.is_empty(), "{} violations, see above", report.violations.len());
    Ok(())
}
