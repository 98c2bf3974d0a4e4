// The panel Log: crashes and reports of supervisors as they come, the same ones grouped.
import { useState } from "preact/hooks";
import { count, fullTime, many, time } from "./format.js";
import { html } from "./html.js";
import { announce } from "./live_region.js";
import { attempt } from "./note.js";
import { ProcessLink } from "./process.js";
import { go, route } from "./route.js";
import { useStore } from "./store.js";
import { Search, useSearch } from "./toolbar.js";
import { useTopic } from "./topic.js";

const MOST = 200;
const SHAPES = { crash: "✕", supervisor: "⚑", stuck: "◷" };

const has = (group, word) => [group.title, group.reason, group.name, group.text, group.message, String(group.number ?? "")]
  .some((text) => text?.toLowerCase().includes(word));

const Group = ({ group, opened, onToggle, onMore }) => html`
  <li class=${`group ${group.kind}`}>
    <h2><button type="button" aria-expanded=${opened ? "true" : "false"} onClick=${onToggle}>
      <span class="shape" aria-hidden="true">${SHAPES[group.kind] ?? "·"}</span>
      <span class="title"><b>${group.title}</b>${group.reason && group.reason !== group.title && html`<span class="reason">${group.reason}</span>`}
        ${group.name && html`<span class="last">${group.count > 1 ? "last: " : ""}${group.name}</span>`}</span>
      ${group.count > 1 && html`<span class="times">${count(group.count)}×</span>`}
      <time datetime=${new Date(group.last * 1000).toISOString()} title=${fullTime(group.last)}>${time(group.last)}</time>
    </button></h2>
    ${opened && html`
      <div class="whole">
        <p>${group.kind} · ${many(group.count, "time")}${group.count > 1 ? `, first at ${fullTime(group.first)}, last at ${fullTime(group.last)}` : ` at ${fullTime(group.last)}`}
          ${group.number !== null && group.number !== undefined && html` · last in <${ProcessLink} number=${group.number} name=${group.name} />`}</p>
        ${group.message && html`<h3>Last message</h3><pre tabindex="0" role="group" aria-label="Last message">${group.message}</pre>`}
        ${group.text && html`<h3>Traceback</h3><pre tabindex="0" role="group" aria-label="Traceback">${group.text}</pre>`}
        ${onMore && html`<button type="button" class="small" onClick=${onMore}>Whole text</button>`}
      </div>`}
  </li>`;

export const Log = () => {
  const [groups, setGroups] = useState(new Map());
  const [kind, setKind] = useState(null);
  const { group: opened } = useStore(route);
  const search = useSearch().toLowerCase();
  const put = (list) => setGroups((before) => {
    const all = new Map(before);
    for (const one of list) all.set(one.id, { ...all.get(one.id), ...one });
    const kept = [...all.values()].sort((one, other) => other.last - one.last).slice(0, MOST);
    return new Map(kept.map((one) => [one.id, one]));
  });
  const topic = useTopic("observer:log", {
    group: (one) => {
      put([one]);
      announce(`${one.title}${one.count > 1 ? `, ${one.count} times` : ""}`);
    },
  }, { onJoin: (reply) => { setGroups(new Map()); put(reply.groups ?? []); } });
  const more = (one) => attempt(async () => put([{ ...(await topic.push("more", { id: one.id })), id: one.id, whole: true }]));
  const kinds = [...new Set([...groups.values()].map((one) => one.kind))].sort();
  const shown = [...groups.values()].filter((one) => (kind === null || one.kind === kind) && (!search || has(one, search)));
  return html`
    <section class="panel log-panel" aria-label="Log" tabindex="0">
      <div class="toolbar">
        <${Search} label="Search the log" />
        <div class="buttons" role="group" aria-label="Kinds">
          <button type="button" aria-pressed=${kind === null ? "true" : "false"} onClick=${() => setKind(null)}>All</button>
          ${kinds.map((one) => html`<button type="button" key=${one} aria-pressed=${kind === one ? "true" : "false"} onClick=${() => setKind(one)}>${one}</button>`)}
        </div>
        <span class="grow"></span>
        <span class="count">${many(shown.length, "group")}</span>
      </div>
      ${shown.length === 0 && html`<p class="empty">${topic.problem ?? (groups.size ? "Nothing in the log has that." : "Nothing has gone wrong since the program started.")}</p>`}
      <ol class="groups">${shown.map((one) => html`
        <${Group} key=${one.id} group=${one} opened=${opened === String(one.id)}
          onToggle=${() => go({ group: opened === String(one.id) ? null : String(one.id) }, { replace: true })}
          onMore=${one.cut && !one.whole ? () => more(one) : null} />`)}</ol>
    </section>`;
};
