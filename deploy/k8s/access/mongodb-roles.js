// Makes the roles and users of mongodb-roles.json, or brings them up to date, in the database MONGODB_DATABASE.
//
//   mongosh "$MONGODB_ADMIN_URI" --quiet --file mongodb-roles.js     with mongodb-roles.json in the working directory
//
// Every ${NAME} in the file is taken from the environment. The services then sign in with ?authSource=<that database>.
const fs = require('node:fs');

const EXISTS = [51002, 51003];

function fromEnvironment(_key, value) {
  if (typeof value !== 'string') return value;
  return value.replace(/\$\{(\w+)\}/g, (_all, name) => {
    if (!process.env[name]) throw new Error(`${name} is not set`);
    return process.env[name];
  });
}

function run(database, command) {
  const [[create, name], ...rest] = Object.entries(command);
  try {
    database.runCommand(command);
  } catch (error) {
    if (!EXISTS.includes(error.code)) throw error;
    database.runCommand({ [create.replace('create', 'update')]: name, ...Object.fromEntries(rest) });
  }
  print(`${create} ${name}: done`);
}

const access = JSON.parse(fs.readFileSync('mongodb-roles.json', 'utf8'), fromEnvironment);
const database = db.getSiblingDB(fromEnvironment('', '${MONGODB_DATABASE}'));
for (const command of [...access.roles, ...access.users]) run(database, command);
