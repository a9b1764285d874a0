//! Several matchers at once.

use crate::world::{World, soon};
use futures_util::{StreamExt as _, TryStreamExt as _};
use mongodb::bson::{Bson, Document, doc};
use proto::{Queue, UserId};
use servers::shared_mongo;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn another_matcher_becomes_the_leader_when_the_leader_stops() {
    let (world, first) = World::with_matcher(&["--match-interval", "1h"]).await;
    world.matched().await;
    let second = world.start(&["--match-interval", "1h"]);
    first.stop().await;
    world.matched().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_another_replica_applied_wake_the_leader() {
    let (world, _first) = World::with_matcher(&["--match-interval", "1h"]).await;
    world.matched().await;
    let _second = world.start(&["--match-interval", "1h"]);
    both_are_there(&world).await;
    // Any of them may fall to either replica.
    for _ in 0..20 {
        world.matched().await;
    }
}

async fn both_are_there(world: &World) {
    let inbox = world.bus.client.new_inbox();
    let mut answers = world.bus.client.subscribe(inbox.clone()).await.expect("subscribed");
    let mut replicas = BTreeSet::new();
    while replicas.len() < 2 {
        world.bus.client.publish_with_reply("$SRV.PING.matcher", inbox.clone(), "".into()).await.expect("asked");
        // Asked again as soon as one has answered.
        let answer = soon(answers.next()).await.expect("a reply");
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
        replicas.insert(answer["id"].to_string());
    }
}

/// Neither can ask the gateway of the other's bus.
const ALONE: &[&str] = &["--match-interval", "1ms", "--enter-timeout", "1h", "--reconcile-interval", "1h"];

/// Each matcher has a bus of its own here, so that each holds the lease and leads.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_in_two_rooms_when_two_matchers_lead_on_one_database() {
    let one = World::new().await;
    let other = World::on(shared_mongo().await.expect("a mongod"), one.database.name()).await;
    let ticks = [one.hold_leadership().await, other.hold_leadership().await];
    let _leases = [one.hold_lease_of(&other.gateway).await, other.hold_lease_of(&one.gateway).await];
    let _matchers = [&one, &other].map(|world| world.start(ALONE));
    let mut people = Vec::new();
    for n in 0..300 {
        people.push([&one, &other][n % 2].waiting(Queue::ALL[n % 2]).await.id);
    }
    for tick in ticks {
        tick.release().await.expect("released");
    }
    one.becomes("everybody is paired", async |_| {
        one.users().count_documents(doc! { "state": "paired" }).await.expect("a count") == 300
    })
    .await;
    let rooms: Vec<Document> = one.rooms().find(doc! {}).await.expect("found").try_collect().await.expect("rooms");
    let members: Vec<UserId> = rooms.iter().flat_map(members).collect();
    assert_eq!(rooms.len(), 150);
    assert_eq!(members.iter().copied().collect::<BTreeSet<_>>(), people.into_iter().collect());
}

fn members(room: &Document) -> Vec<UserId> {
    let members = room.get_array("members").expect("members").iter().filter_map(Bson::as_document);
    members.map(|member| member.get_str("user").expect("an id").parse().expect("a user")).collect()
}
