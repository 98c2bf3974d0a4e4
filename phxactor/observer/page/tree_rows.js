// A row of the tree: the arrays that the server sends, as objects, and the cells that show them.
import { count, NONE, percent, rate, title } from "./format.js";
import { html } from "./html.js";

const FIELDS = ["key", "depth", "relation", "number", "name", "label", "call", "status", "mailbox", "rate", "cpu",
  "restarts", "children", "opened", "position", "setsize", "supervision", "mark"];

export const rowOf = (values) => Object.fromEntries(FIELDS.map((field, index) => [field, values[index]]));
export const keyOf = (values) => values[0];

export const MARKS = { new: "new", ended: "ended", crashed: "crashed", restarted: "restarted", down: "down" };
const SHAPES = { waiting: "○", port: "◇", busy: "●", exiting: "◐", ended: "×", restarting: "↻", down: "✕", suspended: "‖" };

// The state of a process by a shape and by its word: never by its colour alone.
export const Status = ({ status }) => html`
  <span class=${`status ${status}`}><span class="shape" aria-hidden="true">${SHAPES[status] ?? "·"}</span>${status}</span>`;

export const Strategy = ({ supervision }) => {
  const [strategy, restarts, most, within, total] = supervision;
  const spent = restarts >= most && most > 0 ? "spent" : restarts > 0 ? "used" : "";
  return html`<span class=${`budget ${spent}`} title=${`${strategy}: ${restarts} of ${most} restarts in ${within} s`}>
    <span class="strategy">${strategy}</span><span class="left">${restarts}/${most} in ${within} s</span>${
    total ? html`<span class="total">${count(total)} in all</span>` : null}</span>`;
};

const Main = ({ row, onToggle, flat }) => {
  const shown = row.number === null ? row.key.replace(/^c\d+\./, "") : title(row);
  const more = [row.name && row.label, row.call !== shown && row.call].filter(Boolean).join(" · ");
  const indent = flat ? 0 : Math.min(row.depth, 16);
  return html`
    <span class="indent" style=${{ width: `calc(var(--step) * ${indent})` }}></span>
    ${row.children > 0 && !flat
      ? html`<span class=${`twist ${row.opened ? "open" : ""}`} aria-hidden="true"
                   onClick=${(event) => { event.stopPropagation(); onToggle(row); }}>›</span>`
      : html`<span class="twist none" aria-hidden="true">${row.relation === "linked" ? "–" : row.relation === "spawned" ? "·" : ""}</span>`}
    <span class="words">
      <span class="line">
        <b>${shown}</b>${more && html`<span class="more">${more}</span>`}
        ${row.supervision && html`<${Strategy} supervision=${row.supervision} />`}
        ${row.children > 0 && !row.opened && html`<span class="below">${count(row.children)} below</span>`}
        ${row.mark && html`<span class=${`mark ${row.mark}`}>${MARKS[row.mark] ?? row.mark}</span>`}
      </span>
      <span class="second"><${Status} status=${row.status} />${row.supervision && html`<${Strategy} supervision=${row.supervision} />`}${row.mailbox > 0 && html`<span>${count(row.mailbox)} waiting</span>`}${
        row.rate > 0 && html`<span>${rate(row.rate)}/s</span>`}${row.restarts > 0 && html`<span>${count(row.restarts)} restarts</span>`}</span>
    </span>`;
};

const heavy = (value, from) => (value >= from ? "heavy" : value ? "" : "nil");

export const treeColumns = ({ onToggle, flat }) => [
  { id: "name", title: "Process", sort: "name", up: true, kind: "main",
    cell: (values) => html`<${Main} row=${rowOf(values)} onToggle=${onToggle} flat=${flat} />` },
  { id: "status", title: "State", kind: "hide", cell: (values) => html`<${Status} status=${values[7]} />` },
  { id: "mailbox", title: "Mailbox", sort: "mailbox", kind: "number hide",
    cell: (values) => html`<span class=${heavy(values[8], 100)}>${values[3] === null ? NONE : count(values[8])}</span>` },
  { id: "rate", title: "Msgs/s", sort: "rate", kind: "number hide",
    cell: (values) => html`<span class=${heavy(values[9], Infinity)}>${values[3] === null ? NONE : rate(values[9])}</span>` },
  { id: "cpu", title: "CPU", sort: "cpu", kind: "number hide",
    cell: (values) => html`<span class=${heavy(values[10], 0.25)}>${percent(values[10])}</span>` },
  { id: "restarts", title: "Restarts", sort: "restarts", kind: "number hide",
    cell: (values) => html`<span class=${heavy(values[11], 3)}>${count(values[11])}</span>` },
  { id: "pid", title: "Pid", kind: "number pid", cell: (values) => (values[3] === null ? NONE : values[3]) },
];

