// Every word of the page, in each language. The browser's language chooses.
import type { Ending, Problem } from "./conversation/state.ts";
import type { Queue } from "./conversation/wire.ts";

const english = {
  name: "talk to me",
  tagline: "Somebody to talk to, right now.",
  intro: "You are put together with one stranger. You write, for as long as you both like, and you leave. No account, no names, and nothing is kept when it is over.",
  whatNot: "These are people like you, not therapists. They can listen; they cannot treat you or send help.",
  choose: "What do you need?",
  queues: {
    vent: { name: "Vent", what: "Get something off your chest. You meet somebody who came to listen." },
    listen: { name: "Listen", what: "Be there for somebody who needs to be heard." },
    talk: { name: "Talk", what: "Just talk, both ways, about anything." },
  } satisfies Record<Queue, { name: string; what: string }>,
  care: "Please do not tell who you are or where you live, and be kind.",
  problems: {
    refused: "The server did not let you in. Please try again later.",
    expired: "You were away for too long, and your place is gone. You can start again.",
  } satisfies Record<Problem, string>,
  help: {
    title: "In an emergency",
    line: "If you or somebody else is in danger, do not wait here: call your local emergency number.",
    elsewhere: "Help in other countries",
    hint: "There are people who are trained for this, at any hour:",
  },
  returning: { title: "Bringing you back…", hint: "One moment. Nothing of your conversation is lost.", giveUp: "Start over instead" },
  waiting: {
    title: {
      vent: "Looking for somebody who listens",
      listen: "Looking for somebody who needs to be heard",
      talk: "Looking for somebody to talk with",
    } satisfies Record<Queue, string>,
    asking: "Getting you a place…",
    since: "You have been waiting for",
    counts: "Waiting right now, you included",
    plan: {
      vent: (s: number) => `If nobody is free to listen within ${s} seconds, you move to “Talk”, where you meet somebody who wants to talk too.`,
      listen: (s: number) => `If nobody needs a listener within ${s} seconds, you move to “Talk”, where you meet somebody who wants to talk too.`,
      talk: () => "The next person who comes to talk is yours. You do not have to do anything.",
    } satisfies Record<Queue, (s: number) => string>,
    moved: "Nobody was free there, so you are now waiting in “Talk”, with the time that you have already waited.",
    returned: "The other person vanished before it began. You are back in the place that you had.",
    quiet: "It is quiet at the moment. Leave this page open: the title of the tab changes when somebody is there.",
    cancel: "Stop waiting",
    draftKept: "What you have written is kept for the next person.",
  },
  sound: "Sound when something happens while this tab is hidden",
  room: {
    title: "Your conversation",
    joining: "Connecting…",
    here: "A stranger is here",
    away: "Away for a moment",
    awayHint: "Their connection is lost. They have about 30 seconds to come back, and find there what you write now.",
    typing: "is typing…",
    partner: "Stranger",
    you: "You",
    empty: "Say hello. A simple “How are you?” is a good beginning.",
    write: "Your message",
    placeholder: "Write a message…",
    send: "Send",
    tooLong: (bytes: number) => `Too long by ${bytes} characters: please send it in two parts.`,
    sending: "Sending…",
    kept: "Sent",
    failed: "Not sent",
    retry: "Try again",
    discard: "Discard",
    like: "Like",
    likedByYou: "You like this",
    likedByPartner: "They like this",
    newer: "New messages",
    leave: "Leave",
    report: "Report",
  },
  link: {
    lost: "Your connection is lost. Trying to get you back…",
    elsewhere: "This conversation is open in another tab.",
    continueHere: "Continue here",
  },
  leave: {
    title: "Leave this conversation?",
    body: "It ends for both of you, and what was said is erased.",
    stay: "Stay",
    go: "Leave",
  },
  report: {
    title: "Report this person",
    body: "The people who run this service can then read this conversation. It is kept for them for 30 days, instead of being erased.",
    why: "What happened?",
    reasons: {
      insult: "Insults, threats or hate",
      sexual: "Sexual messages",
      identity: "Wants to know who or where I am",
      danger: "Somebody could be in danger",
      other: "Something else",
    },
    details: "Anything to add? (optional)",
    cancel: "Cancel",
    send: "Send report",
    sent: "Thank you. Your report was sent. You can leave at any time.",
    failed: "The report was not sent. Please try again.",
  },
  over: {
    titles: {
      "i-left": "You have left",
      left: "The other person has left",
      gone: "The other person did not come back",
      lost: "This conversation is over",
    } satisfies Record<Ending, string>,
    erased: "It is erased on our side. What you still see here goes when you start over or close the tab.",
    nothing: "It is erased on our side.",
    unsent: "You had not sent this:",
    again: "Start over",
    kind: "Thank you for being here.",
  },
  notices: {
    matched: "Somebody is here",
    messages: (n: number) => (n === 1 ? "1 new message" : `${n} new messages`),
    ended: "The conversation is over",
  },
  heard: {
    message: (text: string) => `Stranger: ${text}`,
    liked: "The stranger likes your message.",
    typing: "The stranger is typing.",
    away: "The stranger's connection is lost.",
    back: "The stranger is back.",
    matched: "Somebody is here. You are connected.",
    failed: "A message was not sent.",
    linkLost: "Your connection is lost.",
    linkBack: "You are connected again.",
  },
};

export type Texts = typeof english;

const german: Texts = {
  name: "talk to me",
  tagline: "Jemand zum Reden, jetzt gleich.",
  intro: "Du wirst mit einem fremden Menschen verbunden. Ihr schreibt, solange ihr beide mögt, und dann geht ihr wieder. Kein Konto, keine Namen, und am Ende bleibt nichts gespeichert.",
  whatNot: "Das sind Menschen wie du, keine Therapeutinnen oder Therapeuten. Sie können zuhören; behandeln oder Hilfe schicken können sie nicht.",
  choose: "Was brauchst du?",
  queues: {
    vent: { name: "Loswerden", what: "Dir etwas von der Seele reden, bei jemandem, der zuhören möchte." },
    listen: { name: "Zuhören", what: "Da sein für jemanden, der gehört werden muss." },
    talk: { name: "Reden", what: "Einfach reden, hin und her, worüber ihr wollt." },
  },
  care: "Bitte verrate nicht, wer du bist oder wo du wohnst, und sei freundlich.",
  problems: {
    refused: "Der Server hat dich nicht hereingelassen. Bitte versuche es später noch einmal.",
    expired: "Du warst zu lange weg, dein Platz ist nicht mehr da. Du kannst neu anfangen.",
  },
  help: {
    title: "Im Notfall",
    line: "Wenn du oder jemand anderes in Gefahr ist, warte nicht hier: Ruf den örtlichen Notruf an.",
    elsewhere: "Hilfe in anderen Ländern",
    hint: "Es gibt Menschen, die dafür ausgebildet sind, zu jeder Stunde:",
  },
  returning: { title: "Du kommst zurück …", hint: "Einen Moment. Von deinem Gespräch geht nichts verloren.", giveUp: "Lieber neu anfangen" },
  waiting: {
    title: {
      vent: "Wir suchen jemanden, der dir zuhört",
      listen: "Wir suchen jemanden, der gehört werden möchte",
      talk: "Wir suchen jemanden zum Reden",
    },
    asking: "Dein Platz wird geholt …",
    since: "Du wartest seit",
    counts: "Gerade warten, mit dir",
    plan: {
      vent: (s) => `Wenn innerhalb von ${s} Sekunden niemand zum Zuhören da ist, kommst du zu „Reden“. Dort triffst du jemanden, der auch reden möchte.`,
      listen: (s) => `Wenn innerhalb von ${s} Sekunden niemand ein offenes Ohr braucht, kommst du zu „Reden“. Dort triffst du jemanden, der auch reden möchte.`,
      talk: () => "Wer als Nächstes zum Reden kommt, ist für dich da. Du musst nichts tun.",
    },
    moved: "Dort war niemand frei. Du wartest jetzt bei „Reden“, und deine bisherige Wartezeit zählt mit.",
    returned: "Die andere Person war weg, bevor es losging. Du hast deinen alten Platz wieder.",
    quiet: "Im Moment ist es ruhig. Lass diese Seite offen: Der Titel des Tabs ändert sich, sobald jemand da ist.",
    cancel: "Nicht mehr warten",
    draftKept: "Was du geschrieben hast, bleibt für die nächste Person stehen.",
  },
  sound: "Ton, wenn etwas passiert, während der Tab verdeckt ist",
  room: {
    title: "Euer Gespräch",
    joining: "Verbinden …",
    here: "Jemand ist da",
    away: "Kurz weg",
    awayHint: "Die Verbindung der anderen Person ist weg. Sie hat etwa 30 Sekunden, um zurückzukommen, und findet dann vor, was du jetzt schreibst.",
    typing: "schreibt …",
    partner: "Fremde Person",
    you: "Du",
    empty: "Sag Hallo. Ein einfaches „Wie geht es dir?“ ist ein guter Anfang.",
    write: "Deine Nachricht",
    placeholder: "Nachricht schreiben …",
    send: "Senden",
    tooLong: (bytes) => `Um ${bytes} Zeichen zu lang: Bitte schick es in zwei Teilen.`,
    sending: "Wird gesendet …",
    kept: "Gesendet",
    failed: "Nicht gesendet",
    retry: "Noch einmal",
    discard: "Verwerfen",
    like: "Gefällt mir",
    likedByYou: "Das gefällt dir",
    likedByPartner: "Gefällt der anderen Person",
    newer: "Neue Nachrichten",
    leave: "Gehen",
    report: "Melden",
  },
  link: {
    lost: "Deine Verbindung ist weg. Wir holen dich zurück …",
    elsewhere: "Dieses Gespräch ist in einem anderen Tab offen.",
    continueHere: "Hier weiterreden",
  },
  leave: {
    title: "Dieses Gespräch verlassen?",
    body: "Es endet für euch beide, und was gesagt wurde, wird gelöscht.",
    stay: "Bleiben",
    go: "Gehen",
  },
  report: {
    title: "Diese Person melden",
    body: "Wer diesen Dienst betreibt, kann das Gespräch dann lesen. Es wird dafür 30 Tage aufbewahrt, statt gelöscht zu werden.",
    why: "Was ist passiert?",
    reasons: {
      insult: "Beleidigungen, Drohungen oder Hass",
      sexual: "Sexuelle Nachrichten",
      identity: "Will wissen, wer oder wo ich bin",
      danger: "Jemand könnte in Gefahr sein",
      other: "Etwas anderes",
    },
    details: "Möchtest du etwas ergänzen? (freiwillig)",
    cancel: "Abbrechen",
    send: "Meldung senden",
    sent: "Danke. Deine Meldung ist angekommen. Du kannst jederzeit gehen.",
    failed: "Die Meldung ging nicht durch. Bitte versuche es noch einmal.",
  },
  over: {
    titles: {
      "i-left": "Du bist gegangen",
      left: "Die andere Person ist gegangen",
      gone: "Die andere Person kam nicht zurück",
      lost: "Dieses Gespräch ist vorbei",
    },
    erased: "Bei uns ist es gelöscht. Was du hier noch siehst, verschwindet, wenn du neu anfängst oder den Tab schließt.",
    nothing: "Bei uns ist es gelöscht.",
    unsent: "Das hattest du noch nicht gesendet:",
    again: "Neu anfangen",
    kind: "Danke, dass du da warst.",
  },
  notices: {
    matched: "Jemand ist da",
    messages: (n) => (n === 1 ? "1 neue Nachricht" : `${n} neue Nachrichten`),
    ended: "Das Gespräch ist vorbei",
  },
  heard: {
    message: (text) => `Fremde Person: ${text}`,
    liked: "Deine Nachricht gefällt der anderen Person.",
    typing: "Die andere Person schreibt.",
    away: "Die Verbindung der anderen Person ist weg.",
    back: "Die andere Person ist wieder da.",
    matched: "Jemand ist da. Ihr seid verbunden.",
    failed: "Eine Nachricht wurde nicht gesendet.",
    linkLost: "Deine Verbindung ist weg.",
    linkBack: "Du bist wieder verbunden.",
  },
};

const LANGUAGES: Record<string, Texts> = { en: english, de: german };

/** The first language of the browser that there are texts for, else English. */
export function chooseLanguage(preferred: readonly string[]): { language: string; texts: Texts } {
  const codes = preferred.map((tag) => tag.slice(0, 2).toLowerCase());
  const language = codes.find((code) => code in LANGUAGES) ?? "en";
  return { language, texts: LANGUAGES[language] ?? english };
}

const chosen = chooseLanguage(globalThis.navigator?.languages ?? []);

export const language: string = chosen.language;
export const texts: Texts = chosen.texts;
