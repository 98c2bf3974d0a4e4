// The head of the page: which program this is, its totals, and the panels.
import { useEffect } from "preact/hooks";
import { age, bytes, count, fullTime, many, seconds } from "./format.js";
import { html } from "./html.js";
import { announceFigures } from "./live_region.js";
import { address, route } from "./route.js";
import { useStore } from "./store.js";
import { program, totals } from "./summary.js";

export const PANELS = { tree: "Tree", sockets: "Sockets", topics: "Topics", nodes: "Nodes", charts: "Charts", log: "Log" };

const Totals = ({ now }) => html`
  <dl class="totals" aria-label="Totals">
    <div><dt>Processes</dt><dd>${count(now.processes)}</dd></div>
    <div><dt>Waiting</dt><dd title="Messages in all mailboxes">${count(now.messages)}</dd></div>
    <div><dt>Connections</dt><dd>${count(now.connections)}</dd></div>
    <div class=${now.lag >= 0.1 ? "bad" : ""}><dt>Loop lag</dt><dd title="The longest delay of the event loop">${seconds(now.lag)}</dd></div>
    <div><dt>Memory</dt><dd>${bytes(now.memory)}</dd></div>
    <div class=${now.crashes > 0 ? "bad" : ""}><dt>Crashes</dt><dd>${count(now.crashes)}</dd></div>
    <div><dt>Restarts</dt><dd>${count(now.restarts)}</dd></div>
    ${now.zombies > 0 && html`<div class="bad"><dt>Zombies</dt><dd>${count(now.zombies)}</dd></div>`}
  </dl>`;

export const Header = () => {
  const about = useStore(program);
  const now = useStore(totals);
  const { panel } = useStore(route);
  useEffect(() => {
    if (now) announceFigures(`${many(now.processes, "process", "processes")}, ${many(now.crashes, "crash", "crashes")}, ${many(now.restarts, "restart")}`);
  }, [now]);
  useEffect(() => {
    document.title = `${PANELS[panel] ?? panel} · ${about?.program ?? "observer"}`;
  }, [panel, about]);
  return html`
    <header class="top">
      <div class="who">
        <h1>${about?.program ?? "observer"}</h1>
        ${about && html`<p class="dim">${about.node && `${about.node} · `}phxactor ${about.version} · Python ${about.python} · <span class="nowrap">OS process ${about.pid}</span> · <span
          class="nowrap" title=${fullTime(about.started)}>up ${age((now?.now ?? about.now) - about.started)}</span></p>`}
      </div>
      ${now && html`<${Totals} now=${now} />`}
      <nav aria-label="Panels"><ul>${Object.entries(PANELS).filter(([id]) => !about?.panels || about.panels.includes(id)).map(([id, words]) => html`
        <li key=${id}><a href=${address({ panel: id, search: null, sort: null, topic: null })} aria-current=${panel === id ? "page" : undefined}>${words}</a></li>`)}</ul></nav>
    </header>`;
};
