// Tells of what happened to whoever does not look: the title and a sound while the tab is
// hidden, and sentences for a screen reader at any time.
import type { State } from "./conversation/state.ts";
import type { Store } from "./conversation/store.ts";
import { texts } from "./texts.ts";

const SOUND_KEY = "talk-to-me-sound";

/** What a screen reader says after a step; `now` is the state that the step led to. */
export function heard(now: State, before: State): string[] {
  const { heard } = texts;
  const said: string[] = [];
  if (now.phase === "room" && before.phase === "waiting") said.push(heard.matched);
  if (now.phase === "room" && before.phase === "room") {
    if (now.partner === "away" && before.partner !== "away") said.push(heard.away);
    if (now.partner === "here" && before.partner === "away") said.push(heard.back);
    if (now.partnerTyping && !before.partnerTyping) said.push(heard.typing);
    if (failures(now) > failures(before)) said.push(heard.failed);
    if (likesOfMine(now) > likesOfMine(before)) said.push(heard.liked);
    said.push(...newFromPartner(now, before).map((m) => heard.message(m.content)));
  }
  if (now.link === "lost" && before.link === "up") said.push(heard.linkLost);
  if (now.link === "up" && before.link === "lost" && now.phase !== "over") said.push(heard.linkBack);
  return said;
}

function newFromPartner(now: State, before: State) {
  const known = new Set(before.messages.map((m) => m.id));
  return now.messages.filter((m) => !m.mine && !known.has(m.id));
}

function failures({ messages }: State): number {
  return messages.filter((m) => m.state === "failed").length;
}

function likesOfMine({ messages }: State): number {
  return messages.filter((m) => m.mine && m.liked).length;
}

/** Puts what happened into the title while the tab is hidden, with a sound if wanted. */
export function watchWhileHidden(store: Store): void {
  let unread = 0;
  const seen = () => {
    if (document.hidden) return;
    unread = 0;
    document.title = texts.name;
  };
  document.title = texts.name;
  document.addEventListener("visibilitychange", seen);
  store.subscribe((now, before) => {
    if (!document.hidden) return;
    const news = before.phase === "room" && now.phase === "room" ? newFromPartner(now, before).length : 0;
    unread += news;
    if (news > 0) notify(texts.notices.messages(unread));
    else if (now.phase === "room" && before.phase === "waiting") notify(texts.notices.matched);
    else if (now.phase === "over" && before.phase === "room") notify(texts.notices.ended);
  });
}

function notify(what: string): void {
  document.title = `● ${what} – ${texts.name}`;
  if (wantsSound()) chime();
}

export function wantsSound(): boolean {
  try {
    return sessionStorage.getItem(SOUND_KEY) === "yes";
  } catch {
    return false;
  }
}

/** Called from a click: browsers allow sound only after one, so that it is tried at once. */
export function setSound(wanted: boolean): void {
  try {
    sessionStorage.setItem(SOUND_KEY, wanted ? "yes" : "no");
  } catch {
    return;
  }
  if (wanted) chime();
}

let audio: AudioContext | undefined;

// Two soft notes, a fourth apart.
function chime(): void {
  audio ??= new AudioContext();
  void audio.resume();
  [440, 587].forEach((frequency, i) => note(audio!, frequency, audio!.currentTime + i * 0.18));
}

function note(context: AudioContext, frequency: number, start: number): void {
  const tone = new OscillatorNode(context, { frequency, type: "sine" });
  const volume = new GainNode(context, { gain: 0 });
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(0.12, start + 0.03);
  volume.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
  tone.connect(volume).connect(context.destination);
  tone.start(start);
  tone.stop(start + 0.65);
}
