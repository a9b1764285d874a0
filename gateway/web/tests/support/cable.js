// A cable between one person and a gateway, that can be pulled: a lost connection as it is, with
// nothing said and nobody to connect to. It may lead to another gateway, as a load balancer does.
import { connect, createServer } from "node:net";

export async function plugIn(url) {
  let to = new URL(url);
  const ends = new Set();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) return near.resetAndDestroy();
    const far = connect(Number(to.port), to.hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      ends.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy()).on("close", () => (ends.delete(one), other.destroy()));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const pull = () => {
    whole = false;
    for (const end of ends) end.destroy();
  };
  const mend = () => (whole = true);
  const leadTo = (other) => (to = new URL(other));
  const remove = () => (pull(), server.close());
  return { url: `http://localhost:${server.address().port}`, pull, mend, leadTo, remove };
}
