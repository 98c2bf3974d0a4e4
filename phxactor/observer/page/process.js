// The panel of one process, beside whatever list it was chosen from.
import { useEffect, useRef, useState } from "preact/hooks";
import { age, bytes, count, fullTime, many, percent, rate, title } from "./format.js";
import { html } from "./html.js";
import { attempt } from "./note.js";
import { Actions, Traced, useTraced } from "./process_actions.js";
import { address, go } from "./route.js";
import { useStore } from "./store.js";
import { program, totals } from "./summary.js";
import { useTopic } from "./topic.js";
import { Status, Strategy } from "./tree_rows.js";

export const ProcessLink = ({ number, name }) => html`
  <a class="process" href=${address({ process: String(number) })}>${name ?? "process"}<span class="pid">${number}</span></a>`;

const Related = ({ label, list }) => html`
  <dt>${label}</dt>
  <dd>${list?.length ? html`<ul class="chips" tabindex="0" aria-label=${label}>${list.map(([number, name]) => html`
    <li key=${number}><${ProcessLink} number=${number} name=${name} /></li>`)}</ul>` : html`<span class="dim">none</span>`}</dd>`;

const Stack = ({ frames }) => html`
  <h3>Where it waits</h3>
  ${frames?.length ? html`<ol class="stack">${frames.map(([file, line, name, source], index) => html`
    <li key=${index}><span class="place">${file}:${line}</span> <b>${name}</b>${source && html`<code>${source}</code>`}</li>`)}</ol>`
    : html`<p class="dim">It has no task that waits at this moment.</p>`}`;

const State = ({ state, why, onAsk }) => html`
  <h3>State <button type="button" class="small" onClick=${onAsk}>Ask again</button></h3>
  ${state === null || state === undefined ? html`<p class="dim">Not shown: ${why ?? "not asked yet"}.</p>`
    : html`<pre class="state" tabindex="0" role="group" aria-label="State">${state}</pre>`}`;

const Messages = ({ total, messages }) => html`
  <h3>Mailbox <span class="dim">${total === 0 ? "empty" : many(total, "message")}</span></h3>
  ${messages?.length > 0 && html`<ol class="messages" tabindex="0" aria-label="Messages that wait">${messages.map((text, index) => html`<li key=${index}><code>${text}</code></li>`)}</ol>`}
  ${total > (messages?.length ?? 0) && messages?.length > 0 && html`<p class="dim">and ${many(total - messages.length, "other")}</p>`}`;

const Memory = ({ push }) => {
  const [memory, setMemory] = useState(null);
  const ask = async () => setMemory(await attempt(() => push("memory")));
  return memory === null ? html`<button type="button" class="small" onClick=${ask}>Measure</button>`
    : html`${memory.at_least ? "at least " : ""}${bytes(memory.bytes)}`;
};

const Figures = ({ shown, push }) => {
  const now = useStore(totals)?.now ?? Date.now() / 1000;
  return html`
    <dl class="figures">
      <div><dt>State</dt><dd><${Status} status=${shown.status} /></dd></div>
      <div><dt>Mailbox</dt><dd>${count(shown.mailbox)}</dd></div>
      <div><dt>Messages/s</dt><dd>${rate(shown.rate)}</dd></div>
      <div><dt>CPU</dt><dd>${percent(shown.cpu)}</dd></div>
      <div><dt>Handled</dt><dd>${count(shown.handled)}</dd></div>
      <div><dt>Restarts</dt><dd>${count(shown.restarts)}</dd></div>
      <div><dt>Age</dt><dd title=${shown.started && fullTime(shown.started)}>${shown.started ? age(now - shown.started) : "–"}</dd></div>
      <div><dt>Memory</dt><dd><${Memory} push=${push} /></dd></div>
    </dl>`;
};

export const Process = ({ number }) => {
  const [shown, setShown] = useState(null);
  const [lines, trace, forget] = useTraced();
  const box = useRef(null);
  const allowed = useStore(program)?.actions;
  const topic = useTopic(`observer:process:${number}`, {
    process: setShown,
    traced: trace,
  }, { onJoin: setShown });
  useEffect(() => {
    setShown(null);
    forget();
    box.current.scrollTop = 0;
  }, [number]);
  const close = () => {
    go({ process: null, topic: null });
    document.querySelector("[role=treegrid], [role=grid]")?.focus();
  };
  const keep = shown?.number === Number(number) ? shown : null;
  const name = keep ? title(keep) : `process ${number}`;
  return html`
    <aside class="inspector" aria-label="Process" ref=${box} onKeyDown=${(event) => event.key === "Escape" && close()}>
      <header>
        <button type="button" class="close" onClick=${close} aria-label="Close the process">✕</button>
        <h2>${name}<span class="pid">${number}</span></h2>
        ${keep && html`<p class="dim">${keep.supervision && html`<${Strategy} supervision=${keep.supervision} /> `}${[keep.name && keep.label, keep.call !== name && keep.call].filter(Boolean).join(" · ")}</p>`}
      </header>
      ${keep && html`<p><a href=${address({ panel: "tree", search: null, sort: null, topic: null, group: null, find: String(number) })}>Show in the tree</a></p>`}
      ${!keep && html`<p class="dim">${topic.problem ? `Not there: ${topic.problem}.` : "Asking …"}</p>`}
      ${keep && html`
        ${keep.ended && html`<p class="ended">Ended: <code>${keep.ended}</code></p>`}
        <${Figures} shown=${keep} push=${topic.push} key=${number} />
        <${Actions} name=${name} status=${keep.status} allowed=${allowed && !keep.ended} push=${topic.push} />
        <${Traced} lines=${lines} />
        <${Messages} total=${keep.mailbox} messages=${keep.messages} />
        <${State} state=${keep.state} why=${keep.state_why} onAsk=${() => attempt(async () => {
          const answer = await topic.push("state");
          if (answer && "state" in answer) setShown((before) => ({ ...before, ...answer }));
        }, "Asked again.")} />
        <${Stack} frames=${keep.stack} />
        <h3>Relations</h3>
        <dl class="relations">
          <${Related} label="Ancestors" list=${keep.ancestors} />
          <${Related} label="Links" list=${keep.links} />
          <${Related} label="Monitors" list=${keep.monitors} />
          <${Related} label="Monitored by" list=${keep.monitored_by} />
          <dt>Traps exits</dt><dd>${keep.trapping ? "yes" : "no"}</dd>
          ${keep.dictionary_keys?.length > 0 && html`<dt>Dictionary</dt><dd>${keep.dictionary_keys.join(", ")}</dd>`}
        </dl>`}
    </aside>`;
};
