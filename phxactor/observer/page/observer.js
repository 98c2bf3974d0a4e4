// The observer's page: the panel that the address names, and beside it the process or the topic that is chosen.
import "./style/index.css";
import { h, render } from "preact";
import { Banner } from "./banner.js";
import { Charts } from "./charts.js";
import { Confirm } from "./confirm.js";
import { connect, socket } from "./connection.js";
import { zone } from "./format.js";
import { Header } from "./header.js";
import { html } from "./html.js";
import { LiveRegion } from "./live_region.js";
import { Log } from "./log.js";
import { Nodes } from "./nodes.js";
import { Note } from "./note.js";
import { Process } from "./process.js";
import { route } from "./route.js";
import { Sockets } from "./sockets.js";
import { useStore } from "./store.js";
import { introduced, totals } from "./summary.js";
import { TopicMembers } from "./topic_members.js";
import { Topics } from "./topics.js";
import { Tree } from "./tree.js";
import { useTopic } from "./topic.js";

const PANELS = { tree: Tree, sockets: Sockets, topics: Topics, nodes: Nodes, charts: Charts, log: Log };

const Page = () => {
  useTopic("observer:summary", { summary: totals.set }, { onJoin: introduced });
  const { panel, process, topic } = useStore(route);
  const Panel = PANELS[panel] ?? Tree;
  const aside = process ? html`<${Process} number=${process} />` : topic && panel === "topics" ? html`<${TopicMembers} topic=${topic} />` : null;
  return html`
    <${Header} />
    <${Banner} />
    <main class=${aside ? "with-aside" : ""}>
      <${Panel} />
      ${aside}
    </main>
    <footer>Times are of ${zone()}. <span class="keys"><kbd>/</kbd> search · <kbd>↑ ↓ ← →</kbd> move · <kbd>Enter</kbd> open · <kbd>Esc</kbd> close</span></footer>
    <${Note} />
    <${LiveRegion} />
    <${Confirm} />`;
};

addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, textarea")) return;
  const search = document.getElementById("search");
  if (search) {
    event.preventDefault();
    search.focus();
  }
});

render(h(Page), document.body);
connect();
addEventListener("pagehide", () => socket.disconnect());
addEventListener("pageshow", (event) => event.persisted && connect());
