// Puts the page together: one store, one session, one view.
import { render } from "preact";
import { Store } from "./conversation/store.ts";
import { watchWhileHidden } from "./notices.ts";
import { Session } from "./session/session.ts";
import { loadSettings } from "./settings.ts";
import { language } from "./texts.ts";
import { Page } from "./view/page.tsx";
import "./style/base.css";
import "./style/dialog.css";
import "./style/start.css";
import "./style/waiting.css";
import "./style/room.css";
import "./style/messages.css";

document.documentElement.lang = language;

const store = new Store();
const session = new Session(store);
watchWhileHidden(store);
session.restore();
render(<Page store={store} session={session} settings={loadSettings()} />, document.querySelector("#page")!);
