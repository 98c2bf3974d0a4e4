// Who is in a topic, beside the list of topics: its channels, and who is present there.
import { useEffect, useState } from "preact/hooks";
import { confirm } from "./confirm.js";
import { many } from "./format.js";
import { html } from "./html.js";
import { attempt } from "./note.js";
import { ProcessLink } from "./process.js";
import { go } from "./route.js";
import { store, useStore } from "./store.js";
import { program } from "./summary.js";

const AGAIN = 2_000; // milliseconds between two looks
const MOST = 200; // members that the server tells

// The channel of the panel Topics, { push }, while it is joined.
export const topics = store(null);

export const TopicMembers = ({ topic }) => {
  const channel = useStore(topics);
  const allowed = useStore(program)?.actions;
  const [answer, setAnswer] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => setAnswer(null), [topic]);
  useEffect(() => {
    if (channel === null) return undefined;
    let current = true;
    const ask = () => channel.push("members", { topic }).then(
      (reply) => current && (setAnswer(reply), setProblem(null)), (error) => current && setProblem(error.message));
    ask();
    const timer = setInterval(ask, AGAIN);
    return () => { current = false; clearInterval(timer); };
  }, [topic, channel]);
  const kick = async ([number, label]) => {
    const name = label ?? `process ${number}`;
    if (await confirm(`Kick ${name} from ${topic}? Its client hears that the channel is closed.`, "Kick")) {
      await attempt(() => channel.push("kick", { number }), `${name} is kicked.`);
    }
  };
  const close = () => {
    go({ topic: null });
    document.querySelector("[role=grid]")?.focus();
  };
  return html`
    <aside class="inspector" aria-label="Topic" onKeyDown=${(event) => event.key === "Escape" && close()}>
      <header>
        <button type="button" class="close" onClick=${close} aria-label="Close the topic">✕</button>
        <h2>${topic}</h2>
      </header>
      ${answer === null && html`<p class="dim">${problem ?? "Asking …"}</p>`}
      ${answer !== null && html`
        <h3>Members <span class="dim">${answer.members.length >= MOST ? `the first ${MOST}` : answer.members.length}</span></h3>
        ${answer.members.length === 0 && html`<p class="dim">Nobody is here any more.</p>`}
        <ul class="members">${answer.members.map((member) => html`
          <li key=${member[0]}><${ProcessLink} number=${member[0]} name=${member[1] ?? "channel"} />
            ${member[2] && html`<span class="dim">of</span> <${ProcessLink} number=${member[2]} name="connection" />`}
            <span class="grow"></span>
            ${allowed && html`<button type="button" class="small" onClick=${() => kick(member)} aria-label=${`Kick ${member[1] ?? member[0]}`}>Kick</button>`}
          </li>`)}</ul>
        <h3>Presence <span class="dim">${answer.presence.length || "nobody is tracked here"}</span></h3>
        <ul class="members">${answer.presence.map(([presence, key, metas]) => html`
          <li key=${`${presence} ${key}`}><b>${key}</b> <span class="dim">${presence} · ${many(metas, "meta")}</span></li>`)}</ul>`}
    </aside>`;
};
