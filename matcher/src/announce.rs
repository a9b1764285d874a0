//! Tells the two of a room that they were matched. A room is made with the duty to be announced
//! (an outbox): it is marked once that is done, and `sweep` repeats what a crash cut off.

use crate::{Matcher, claims::Claimed, config::ms, rooms::Room, sweep::each};
use proto::{
    Live, UserId,
    bus::{BusError, now_ms},
    events::{MatchMade, MatchedMember},
    operators::Happened,
    subjects,
};

/// A room that is not announced after so long was left behind by a crash: whoever makes one
/// announces it in far less.
const ABANDONED_MS: i64 = 3000;

impl Matcher {
    /// Announces new rooms.
    pub(crate) async fn announce(&self, claimed: Vec<Claimed>) -> anyhow::Result<()> {
        if claimed.is_empty() {
            return Ok(());
        }
        for Claimed { pair, room } in &claimed {
            for member in pair {
                if let Some(from) = member.moved_from {
                    self.bus.tell(None, member.user, &Live::Moved { from, to: member.queue }).await?;
                }
            }
            self.announce_room(room).await?;
        }
        let rooms: Vec<Room> = claimed.into_iter().map(|claimed| claimed.room).collect();
        Ok(self.rooms.mark_announced(&rooms, now_ms()).await?)
    }

    // A trace of its own: a match has two causes, and neither command is under way any more.
    #[tracing::instrument(name = "match", level = "debug", parent = None, skip_all, fields(room.id = %room.id))]
    async fn announce_room(&self, room: &Room) -> Result<(), BusError> {
        let members = room.members.each_ref().map(|member| MatchedMember {
            user: member.user,
            queue: member.queue,
            waited_ms: u64::try_from(room.created_at - member.queued_at).unwrap_or(0),
        });
        // Before anybody can enter.
        self.bus.report(room.id, Happened::Made { members: members.clone() }).await;
        for user in room.users() {
            // Only people with a connection are matched.
            self.tell_matched(room, user, true).await?;
        }
        self.bus.publish(subjects::match_made(room.id), &MatchMade { room: room.id, members }).await
    }

    async fn tell_matched(&self, room: &Room, user: UserId, partner_connected: bool) -> Result<(), BusError> {
        self.bus.tell(Some(room.id), user, &Live::Matched(room.view(user, partner_connected))).await
    }

    /// Announces again what a crash or a lost event kept from somebody: rooms that were never
    /// announced, and members who have not joined.
    pub(crate) async fn announce_again(&self) -> anyhow::Result<()> {
        let now = now_ms();
        let abandoned = self.rooms.never_announced(now - ABANDONED_MS).await?;
        let resolved = each(abandoned, |room| self.resolve(room)).await;
        let entered_until = now - ms(self.config.join_timeout);
        let rooms = self.rooms.not_entered(entered_until, now - ms(self.config.match_interval)).await?;
        for room in &rooms {
            self.remind(room).await?;
        }
        if !rooms.is_empty() {
            self.rooms.mark_announced(&rooms, now).await?;
        }
        resolved
    }

    /// What a crash has left: announced if both are bound to it, else dissolved.
    async fn resolve(&self, room: Room) -> anyhow::Result<()> {
        let [first, second] = room.users();
        let bound = [self.users.get(first).await?.room, self.users.get(second).await?.room];
        if bound != [Some(room.id); 2] {
            return self.dissolve(&room).await.map(drop);
        }
        self.announce_room(&room).await?;
        Ok(self.rooms.mark_announced(&[room], now_ms()).await?)
    }

    async fn remind(&self, room: &Room) -> anyhow::Result<()> {
        for member in room.members.iter().filter(|member| !member.joined) {
            let partner = self.users.get(room.partner_of(member.user)).await?;
            self.tell_matched(room, member.user, partner.connected).await?;
        }
        Ok(())
    }
}
