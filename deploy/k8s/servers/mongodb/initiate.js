// Makes a replica set of the servers in MONGODB_MEMBERS, where there is none, and waits for its primary.
// Asked of the first of them, signed in as the members are among themselves. Doing it again changes nothing.
const NOT_YET_INITIALIZED = 94;
// How long a silent primary is believed in: what the tests of the promises run with. MongoDB's default is 10 s.
const settings = { electionTimeoutMillis: 5000 };

function exists() {
  try {
    return db.adminCommand({ replSetGetStatus: 1 }).ok === 1;
  } catch (error) {
    if (error.code === NOT_YET_INITIALIZED) return false;
    throw error;
  }
}

function hasPrimary() {
  return db.hello().primary !== undefined;
}

if (!exists()) {
  const members = process.env.MONGODB_MEMBERS.split(',').map((host, _id) => ({ _id, host }));
  db.adminCommand({ replSetInitiate: { _id: process.env.MONGODB_REPLICA_SET, members, settings } });
  print(`made a replica set of ${members.length}`);
}
for (let tries = 0; tries < 120 && !hasPrimary(); tries += 1) sleep(500);
if (!hasPrimary()) throw new Error('no primary within a minute');
