// What stands between the reader and a live page: a lost connection, a token that is missing, a page that was sent to sleep.
import { useEffect, useState } from "preact/hooks";
import { connection, idle, refused, openWith } from "./connection.js";
import { html } from "./html.js";
import { announce } from "./live_region.js";
import { useStore } from "./store.js";
import { restarted } from "./summary.js";

const STAYS = 10_000; // milliseconds that the news of a restart stays

const Token = () => {
  const [value, setValue] = useState("");
  return html`
    <form class="banner bad" onSubmit=${(event) => { event.preventDefault(); openWith(value); }}>
      <label for="token">The program refuses this page. It may want a token:</label>
      <input id="token" type="password" autocomplete="off" value=${value} onInput=${(event) => setValue(event.target.value)} />
      <button>Open</button>
    </form>`;
};

export const Banner = () => {
  const { state } = useStore(connection);
  const asleep = useStore(idle);
  const barred = useStore(refused);
  const again = useStore(restarted);
  const [, draw] = useState(0);
  useEffect(() => {
    if (again === null) return undefined;
    announce("The program was started anew.");
    const timer = setTimeout(() => draw(again), STAYS);
    return () => clearTimeout(timer);
  }, [again]);
  useEffect(() => {
    if (state === "lost") announce("The connection is lost; trying again.");
  }, [state]);
  if (barred) return html`<${Token} />`;
  if (state === "lost") {
    return html`<p class="banner bad" id="connection">No connection: the program has ended, or the way to it is cut. What you see is how it was. Trying again …</p>`;
  }
  if (state === "opening") return html`<p class="banner" id="connection">Connecting …</p>`;
  if (asleep) {
    return html`<p class="banner" id="asleep">Asleep: nobody has touched this page for a while, so the program stopped looking.
      <button type="button" class="accent" onClick=${() => idle.set(false)}>Go on</button></p>`;
  }
  if (again !== null && Date.now() - again < STAYS) {
    return html`<p class="banner good" id="restarted">The program was started anew; this is the new run.</p>`;
  }
  return null;
};
