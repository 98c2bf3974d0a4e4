// One chart, and beside it the same in words. All charts share one cursor.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { count, time } from "./format.js";
import { COUNTS, figures } from "./history.js";
import { html } from "./html.js";
import { dark, useStore } from "./store.js";

const HEIGHT = 132;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]; // steps of an axis of counts

const colours = () => {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { lines: [of("--accent"), of("--warn")], fill: of("--fill"), text: of("--dim"), grid: of("--line"), bars: [of("--bad"), of("--warn")] };
};

const options = ({ series, format, width, onCursor }) => {
  const { lines, fill, text, grid, bars } = colours();
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif", gap: 6 };
  return {
    width,
    height: HEIGHT,
    padding: [8, 6, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "observer" }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_, least, most) => [0, most > 0 ? most * 1.12 : 1] } },
    axes: [
      { ...axis, size: 22, space: 70, values: (_, places) => places.map((at) => time(at).slice(0, 5)) },
      { ...axis, size: 54, space: 28, incrs: COUNTS.has(series[0]) ? WHOLE : undefined, values: (_, places) => places.map((value) => format(value)) },
    ],
    series: [{}, ...series.map((id, index) => (COUNTS.has(id)
      ? { stroke: bars[index], fill: bars[index], width: 0, paths: uPlot.paths.bars({ size: [0.7, 8, 2] }), points: { show: false } }
      : { stroke: lines[index], width: 1.5, fill: index === 0 ? fill : undefined, dash: index ? [5, 3] : undefined, points: { show: false } }))],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx)] },
  };
};

// `names` are the words for each series; `words(value)` says a value with its unit.
export const Chart = ({ title, unit, ids, names, format, words, times, series }) => {
  const dimmed = useStore(dark);
  const box = useRef(null);
  const plot = useRef(null);
  const under = useRef(null);
  const data = [times, ...ids.map((id) => series[id] ?? times.map(() => null))];
  const latest = useRef(data);
  latest.current = data;

  const told = (index) => {
    if (under.current === null) return;
    const [at, ...lists] = latest.current;
    under.current.textContent = index === null || index === undefined || at[index] === undefined ? ""
      : `${time(at[index])}: ${lists.map((values, which) => `${names.length > 1 ? `${names[which]} ` : ""}${words(values[index])}`).join(", ")}`;
  };
  useEffect(() => {
    const made = new uPlot(options({ series: ids, format, width: box.current.clientWidth, onCursor: told }), latest.current, box.current);
    plot.current = made;
    const observer = new ResizeObserver(() => box.current && made.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    observer.observe(box.current);
    return () => { observer.disconnect(); made.destroy(); plot.current = null; };
  }, [dimmed]);
  useEffect(() => plot.current?.setData(data), [times, series]);

  const sentences = ids.map((id, index) => {
    const { now, most, when, sum } = figures(series[id] ?? [], times);
    const name = names.length > 1 ? `${names[index]}: ` : "";
    if (now === null) return `${name}no value yet`;
    return COUNTS.has(id) ? `${name}${count(sum)}${sum > 0 ? `, the last at ${time(times[(series[id] ?? []).findLastIndex(Boolean)])}` : ""}`
      : `${name}now ${words(now)}, most ${words(most)} at ${time(when)}`;
  });
  return html`
    <figure class="chart">
      <figcaption><h2>${title} <span class="dim">${unit}</span></h2>
        ${sentences.map((sentence, index) => html`<p key=${index} class=${`said s${index}`}>${sentence}</p>`)}
        <p class="under" ref=${under}></p></figcaption>
      <div class="plot" ref=${box} aria-hidden="true"></div>
    </figure>`;
};
