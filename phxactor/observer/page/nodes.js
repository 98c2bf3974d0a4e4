// The panel Nodes: the view of this node, what carries messages between them, and the workers of this machine.
import { useState } from "preact/hooks";
import { confirm } from "./confirm.js";
import { age, count, fullTime } from "./format.js";
import { html } from "./html.js";
import { attempt } from "./note.js";
import { useStore } from "./store.js";
import { program, totals } from "./summary.js";
import { useTopic } from "./topic.js";

const Table = ({ title, heads, rows, none }) => html`
  <section class="block" aria-label=${title}>
    <h2>${title}</h2>
    ${rows.length === 0 ? html`<p class="dim">${none}</p>` : html`
      <div class="scroll" tabindex="0" role="group" aria-label=${`${title}, table`}><table>
        <thead><tr>${heads.map(([words, kind]) => html`<th scope="col" key=${words} class=${kind}>${words}</th>`)}</tr></thead>
        <tbody>${rows.map((cells, index) => html`<tr key=${index}>${cells.map((cell, column) => html`
          <td key=${column} class=${heads[column][1]}>${cell}</td>`)}</tr>`)}</tbody>
      </table></div>`}
  </section>`;

const list = (names) => (Array.isArray(names) ? names.join(", ") || "none" : names ?? "–");
const state = (word) => html`<span class=${`word ${word}`}>${word}</span>`;

export const Nodes = () => {
  const [shown, setShown] = useState(null);
  const allowed = useStore(program)?.actions;
  const now = useStore(totals)?.now ?? Date.now() / 1000;
  const take = (payload) => payload?.nodes && setShown(payload);
  const topic = useTopic("observer:nodes", { nodes: take }, { onJoin: take });
  const since = (at) => (at ? html`<span title=${fullTime(at)}>${age(now - at)}</span>` : "–");
  const act = async (index, event, verb, done) => {
    if (await confirm(`${verb} worker ${index}? Its clients connect again, to another.`, verb)) {
      await attempt(() => topic.push(event, { index }), done);
    }
  };
  const buttons = (index) => (allowed ? html`<span class="buttons">
    <button type="button" class="small" onClick=${() => act(index, "drain_worker", "Drain", `Worker ${index} is draining.`)}>Drain</button>
    <button type="button" class="small" onClick=${() => act(index, "restart_worker", "Restart", `Worker ${index} restarts.`)}>Restart</button></span>` : "");
  if (shown === null) {
    return html`<section class="panel nodes-panel" aria-label="Nodes"><p class="empty">${topic.problem ?? "Waiting for the view of the nodes …"}</p></section>`;
  }
  return html`
    <section class="panel nodes-panel" aria-label="View of the nodes" tabindex="0">
      <p class="self">This page shows what <b>${shown.self ?? "this program"}</b> knows.</p>
      <${Table} title="Nodes" none="This program knows no other nodes."
        heads=${[["Node"], ["Id", "hide"], ["Over"], ["Known for", "number"], ["Gaps", "number"], ["Heard", "number"]]}
        rows=${shown.nodes.map(([name, id, carriers, from, gaps, heard]) => [html`<b>${name}</b>`, html`<code>${id}</code>`, list(carriers),
          since(from), html`<span class=${gaps ? "heavy" : "nil"}>${count(gaps)}</span>`, heard === null || heard === undefined ? "–" : `${age(heard)} ago`])} />
      <${Table} title="Carriers" none="Nothing carries messages to other nodes."
        heads=${[["Carrier"], ["State"], ["For", "number"], ["Nodes", "number"], ["Sent", "number"], ["Received", "number"], ["Dropped", "number"]]}
        rows=${shown.carriers.map(([name, word, from, nodes, sent, received, dropped]) => [html`<b>${name}</b>`, state(word), since(from),
          Array.isArray(nodes) ? count(nodes.length) : count(nodes), count(sent), count(received),
          html`<span class=${dropped ? "heavy" : "nil"}>${count(dropped)}</span>`])} />
      ${shown.workers && html`<${Table} title="Workers" none="No worker runs."
        heads=${[["Worker"], ["OS process", "number"], ["State"], ["Connections", "number"], ["Restarts", "number"], ["Up", "number"], ["Actions"]]}
        rows=${shown.workers.map(([index, pid, word, connections, restarts, uptime]) => [html`<b>${index}</b>`, pid ?? "–", state(word),
          count(connections), html`<span class=${restarts ? "heavy" : "nil"}>${count(restarts)}</span>`, uptime === null ? "–" : age(uptime), buttons(index)])} />`}
      ${shown.sharded?.length > 0 && html`<${Table} title="Sharded servers" none=""
        heads=${[["Server"], ["Owner"], ["Id", "hide"], ["Keys", "number"], ["View", "number"], ["State"]]}
        rows=${shown.sharded.map(([name, owner, id, here, keys, view, word]) => [html`<b>${name}</b>`, here && owner !== "this node" ? `${owner} (this node)` : owner,
          id ? html`<code>${id}</code>` : "–", keys === null ? html`<span title="Only that node knows.">–</span>` : count(keys), view ?? "–",
          word === null ? "–" : state(word)])} />`}
    </section>`;
};
