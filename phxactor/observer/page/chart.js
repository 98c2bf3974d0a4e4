// One chart, and beside it the same in words. All charts share one cursor.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { count, time } from "./format.js";
import { COUNTS, figures } from "./history.js";
import { html } from "./html.js";
import { dark, useStore } from "./store.js";

const HEIGHT = 132;
const YOUNG = 60; // seconds that a chart spans at least
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]; // steps of an axis of counts

const colours = () => {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { lines: [of("--accent"), of("--warn")], fill: of("--fill"), text: of("--dim"), grid: of("--line"), bars: [of("--bad"), of("--warn")] };
};

// A line where the program started, if that is within what is shown.
const mark = (plot, at, colour) => {
  const place = plot.valToPos(at, "x", true);
  const { left, top, width, height } = plot.bbox;
  if (!at || place < left || place > left + width) return;
  plot.ctx.save();
  plot.ctx.strokeStyle = colour;
  plot.ctx.setLineDash([4, 4]);
  plot.ctx.beginPath();
  plot.ctx.moveTo(place, top);
  plot.ctx.lineTo(place, top + height);
  plot.ctx.stroke();
  plot.ctx.restore();
};

// From when to when a chart is: the span, but not much longer than the program runs.
const extent = (end, span, started) => [Math.min(end - YOUNG, Math.max(end - span, (started ?? 0) - YOUNG / 10)), end];

const options = ({ series, format, width, onCursor, extent: reach, started }) => {
  const { lines, fill, text, grid, bars } = colours();
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif", gap: 6 };
  return {
    width,
    height: HEIGHT,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "observer" }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { range: () => reach() }, y: { range: (_, least, most) => [0, most > 0 ? most * 1.12 : 1] } },
    axes: [
      { ...axis, size: 22, space: 56, values: (_, places, __, ___, step) => places.map((at) => (step < 60 ? time(at) : time(at).slice(0, 5))) },
      { ...axis, size: 54, space: 28, incrs: COUNTS.has(series[0]) ? WHOLE : undefined, values: (_, places) => places.map((value) => format(value)) },
    ],
    series: [{}, ...series.map((id, index) => (COUNTS.has(id)
      ? { stroke: bars[index], fill: bars[index], width: 0, paths: uPlot.paths.bars({ size: [0.7, 8, 2] }), points: { show: false } }
      : { stroke: lines[index], width: 1.5, fill: index === 0 ? fill : undefined, dash: index ? [5, 3] : undefined, points: { show: false } }))],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx)], draw: [(plot) => mark(plot, started, text)] },
  };
};

// `names` are the words for each series; `words(value)` says a value with its unit.
export const Chart = ({ title, unit, ids, names, format, words, times, series, span, started }) => {
  const dimmed = useStore(dark);
  const box = useRef(null);
  const plot = useRef(null);
  const under = useRef(null);
  const data = [times, ...ids.map((id) => series[id] ?? times.map(() => null))];
  const latest = useRef(data);
  latest.current = Object.assign(data, { span });

  const told = (index) => {
    if (under.current === null) return;
    const [at, ...lists] = latest.current;
    under.current.textContent = index === null || index === undefined || at[index] === undefined ? ""
      : `${time(at[index])}: ${lists.map((values, which) => `${names.length > 1 ? `${names[which]} ` : ""}${words(values[index])}`).join(", ")}`;
  };
  useEffect(() => {
    const made = new uPlot(options({ series: ids, format, width: box.current.clientWidth, onCursor: told,
      started, extent: () => extent(latest.current[0].at(-1), latest.current.span, started) }), latest.current, box.current);
    plot.current = made;
    const observer = new ResizeObserver(() => box.current && made.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    observer.observe(box.current);
    return () => { observer.disconnect(); made.destroy(); plot.current = null; };
  }, [dimmed]);
  useEffect(() => plot.current?.setData(data), [times, series, span]);

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
