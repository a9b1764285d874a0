// Says that the connection is gone, and what is done about it.
import type { Link } from "../conversation/state.ts";
import type { Session } from "../session/session.ts";
import { texts } from "../texts.ts";

export function LinkBanner({ link, session }: { link: Link; session: Session }) {
  if (link === "lost") return <p class="banner">{texts.link.lost}</p>;
  if (link !== "elsewhere") return null;
  return (
    <p class="banner">
      {texts.link.elsewhere} <button onClick={() => session.continueHere()}>{texts.link.continueHere}</button>
    </p>
  );
}
