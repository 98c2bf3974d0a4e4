// The panel Charts: the last hour, as the program has kept it, and each second that follows.
import "uplot/dist/uPlot.min.css";
import { useState } from "preact/hooks";
import { Chart } from "./chart.js";
import { bytes, count, fullTime, rate, seconds } from "./format.js";
import { begin, extend, tail } from "./history.js";
import { html } from "./html.js";
import { go, route } from "./route.js";
import { useStore } from "./store.js";
import { useTopic } from "./topic.js";

const SPANS = [[300, "5 min"], [900, "15 min"], [3600, "1 h"]];
const perSecond = (value) => `${rate(value)}/s`;
const CHARTS = [
  { title: "Messages", unit: "handled per second", ids: ["messages"], format: rate, words: perSecond },
  { title: "Joins", unit: "per second", ids: ["joins"], format: rate, words: perSecond },
  { title: "Crashes", unit: "in 5 s", ids: ["crashes"], format: rate, words: count },
  { title: "Restarts", unit: "in 5 s", ids: ["restarts"], format: rate, words: count },
  { title: "Event-loop lag", unit: "the longest", ids: ["lag"], format: seconds, words: seconds },
  { title: "Handlers", unit: "duration", ids: ["p50", "p99"], names: ["p50", "p99"], format: seconds, words: seconds },
  { title: "Memory", unit: "of the OS process", ids: ["memory"], format: bytes, words: bytes },
  { title: "Connections", unit: "", ids: ["connections"], format: count, words: count },
  { title: "Processes", unit: "", ids: ["processes"], format: count, words: count },
];

export const Charts = () => {
  const [history, setHistory] = useState(null);
  const { span = "3600" } = useStore(route);
  const topic = useTopic("observer:charts", {
    point: ({ at, values }) => setHistory((before) => before && extend(before, at, values)),
  }, { onJoin: (reply) => setHistory(begin(reply)) });
  if (history === null) {
    return html`<section class="panel charts-panel" aria-label="Charts"><p class="empty">${topic.problem ?? "Waiting for the last hour …"}</p></section>`;
  }
  const shown = tail(history, Number(span) || 3600);
  return html`
    <section class="panel charts-panel" aria-label="Charts" tabindex="0">
      <div class="toolbar">
        <div class="buttons" role="group" aria-label="Span">${SPANS.map(([length, words]) => html`
          <button type="button" key=${length} aria-pressed=${span === String(length) ? "true" : "false"}
                  onClick=${() => go({ span: String(length) }, { replace: true })}>${words}</button>`)}</div>
        <span class="grow"></span>
        ${topic.reply?.started && html`<span class="dim">The program started ${fullTime(topic.reply.started)}.</span>`}
      </div>
      <div class="charts">${CHARTS.map((chart) => html`
        <${Chart} key=${chart.title} names=${[chart.title]} ...${chart} times=${shown.times} series=${shown.series}
        span=${Number(span) || 3600} started=${topic.reply?.started} />`)}</div>
    </section>`;
};
