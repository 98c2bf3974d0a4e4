// The panel Topics: how many are in each, and how much is said there.
import { useEffect, useState } from "preact/hooks";
import { count, many, rate } from "./format.js";
import { Grid } from "./grid.js";
import { html } from "./html.js";
import { useReading } from "./reading.js";
import { go, route } from "./route.js";
import { useRows } from "./rows.js";
import { useStore } from "./store.js";
import { Toolbar, useSearch } from "./toolbar.js";
import { topics } from "./topic_members.js";

const COLUMNS = [
  { id: "name", title: "Topic", sort: "name", up: true, kind: "main", cell: ([topic, members, messages]) => html`
    <span class="words"><span class="line"><b>${topic}</b></span>
      <span class="second"><span>${many(members, "member")}</span><span>${rate(messages)}/s</span></span></span>` },
  { id: "members", title: "Members", sort: "members", kind: "number hide", cell: ([, members]) => count(members) },
  { id: "rate", title: "Msgs/s", sort: "rate", kind: "number hide", cell: ([, , messages]) => rate(messages) },
];

export const Topics = () => {
  const { topic, sort = "members" } = useStore(route);
  const search = useSearch();
  const [hold, setHold] = useState(false);
  const [reading, listeners] = useReading();
  const cursor = useState({ index: 0, key: null });
  const model = useRows("observer:topics", { search, sort, frozen: hold || reading });
  useEffect(() => {
    topics.set(model.joined ? { push: model.push } : null);
    return () => topics.set(null);
  }, [model.joined]);
  return html`
    <section class="panel topics-panel" aria-label="Topics">
      <${Toolbar} label="Search topics" total=${model.total} what=${model.total === 1 ? "topic" : "topics"} held=${model.held}
        hold=${hold} reading=${reading} onHold=${() => setHold(!hold)} />
      <${Grid} id="topics" label="Topics" model=${model} keyOf=${([name]) => name} sort=${sort} selected=${topic} columns=${COLUMNS}
        onSort=${(next) => go({ sort: next ?? "members" }, { replace: true })} reading=${listeners} cursor=${cursor}
        onOpen=${([name]) => go({ topic: name, process: null })}
        empty=${search ? "No topic has that in its name." : "No topic has members."} />
    </section>`;
};
