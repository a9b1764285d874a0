// The live region: what happened, in sentences, for whoever listens to the page.
import { useEffect, useState } from "preact/hooks";
import type { Store } from "../conversation/store.ts";
import { heard } from "../notices.ts";

const KEPT = 20;

export function Announcer({ store }: { store: Store }) {
  const [said, setSaid] = useState<{ id: number; text: string }[]>([]);
  useEffect(() => {
    let id = 0;
    return store.subscribe((now, before) => {
      const news = heard(now, before).map((text) => ({ id: ++id, text }));
      if (news.length > 0) setSaid((old) => [...old, ...news].slice(-KEPT));
    });
  }, [store]);
  return (
    <div class="unseen" role="log" aria-live="polite" data-testid="announcer">
      {said.map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}
