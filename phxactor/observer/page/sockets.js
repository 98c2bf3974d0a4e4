// The panel Sockets: who is connected, and for whom bytes wait since they are slow to read.
import { useState } from "preact/hooks";
import { confirm } from "./confirm.js";
import { age, bytes, count, fullTime, many, rate } from "./format.js";
import { Grid } from "./grid.js";
import { html } from "./html.js";
import { attempt } from "./note.js";
import { useReading } from "./reading.js";
import { go, route } from "./route.js";
import { useRows } from "./rows.js";
import { useStore } from "./store.js";
import { program, totals } from "./summary.js";
import { Toolbar, useSearch } from "./toolbar.js";

const SLOW = 65_536; // bytes that wait for a client before the page marks it

const keyOf = ([number]) => String(number);
const nameOf = ([number, kind, id, label]) => label ?? id ?? `${kind} ${number}`;

const columnsOf = ({ now, onDisconnect }) => [
  { id: "who", title: "Client", kind: "main", cell: (row) => html`
    <span class="words"><span class="line"><b>${nameOf(row)}</b><span class="more">${[row[3] && row[2], row[1]].filter(Boolean).join(" · ")}</span>
      ${row[9] >= SLOW && html`<span class="mark slow">slow reader</span>`}</span>
      <span class="second"><span>${row[4]}</span><span>${age(now - row[6])}</span><span>${bytes(row[9])} wait</span><span>${many(row[10], "channel")}</span></span></span>` },
  { id: "transport", title: "Transport", kind: "hide", cell: (row) => row[4] },
  { id: "peer", title: "From", kind: "hide peer", cell: (row) => row[5] ?? "–" },
  { id: "age", title: "Age", sort: "age", kind: "number hide", cell: (row) => html`<span title=${fullTime(row[6])}>${age(now - row[6])}</span>` },
  { id: "in", title: "In", sort: "in", kind: "number hide", cell: (row) => bytes(row[7]) },
  { id: "out", title: "Out", sort: "out", kind: "number hide", cell: (row) => bytes(row[8]) },
  { id: "rate", title: "In/s", kind: "number hide", cell: (row) => rate(row[11]) },
  { id: "waits", title: "Waits", sort: "waits", kind: "number hide",
    cell: (row) => html`<span class=${row[9] >= SLOW ? "heavy" : row[9] ? "" : "nil"}>${bytes(row[9])}</span>` },
  { id: "channels", title: "Channels", sort: "channels", kind: "number hide", cell: (row) => count(row[10]) },
  ...(onDisconnect ? [{ id: "act", title: html`<span class="unseen">Actions</span>`, kind: "act", cell: (row) => html`
    <button type="button" class="small" tabindex="-1" aria-label=${`Disconnect ${nameOf(row)}`}
            onClick=${(event) => { event.stopPropagation(); onDisconnect(row); }}>Disconnect</button>` }] : []),
];

export const Sockets = () => {
  const { process, sort = "waits" } = useStore(route);
  const search = useSearch();
  const [hold, setHold] = useState(false);
  const [reading, listeners] = useReading();
  const cursor = useState({ index: 0, key: null });
  const now = useStore(totals)?.now ?? Date.now() / 1000;
  const allowed = useStore(program)?.actions;
  const model = useRows("observer:sockets", { search, sort, frozen: hold || reading });
  const disconnect = async (row) => {
    if (await confirm(`Disconnect ${nameOf(row)}? Its client connects again if it wants.`, "Disconnect")) {
      await attempt(() => model.push("disconnect", { number: row[0] }), `${nameOf(row)} is disconnected.`);
    }
  };
  return html`
    <section class=${`panel sockets-panel ${allowed ? "acts" : ""}`} aria-label="Sockets">
      <${Toolbar} label="Search ids, users, addresses" total=${model.total} what=${model.total === 1 ? "connection" : "connections"}
        held=${model.held} hold=${hold} reading=${reading} onHold=${() => setHold(!hold)} />
      <${Grid} id="sockets" label="Connections" model=${model} keyOf=${keyOf} sort=${sort} selected=${process}
        columns=${columnsOf({ now, onDisconnect: allowed ? disconnect : null })}
        onSort=${(next) => go({ sort: next ?? "age" }, { replace: true })} reading=${listeners} cursor=${cursor}
        onOpen=${(row) => go({ process: String(row[0]) })}
        onKey=${(event, row) => (event.key === "Delete" && allowed ? (disconnect(row), true) : false)}
        empty=${search ? "No connection has that." : "Nobody is connected."} />
    </section>`;
};
