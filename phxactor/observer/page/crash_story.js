// One crash as it spread, step by step: the processes concerned as a small tree, and the steps beside it in their order.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { seconds } from "./format.js";
import { html } from "./html.js";
import { go } from "./route.js";

const LENGTH = 8; // seconds that the slow motion takes in all, about
const LEAST = 0.5; // seconds a step stays at least
const MOST = 2.5;
export const KINDS = {
  crashed: ["✕", "crashed"],
  exit_signal: ["→", "got the exit signal"],
  ended: ["×", "ended"],
  terminated_by_supervisor: ["■", "was ended by its supervisor"],
  restarted: ["↻", "was started again"],
  gave_up: ["⚑", "gave up: too many restarts"],
};

// Each process once, below the one it is below, in the order in which the crash reached it. What they are below, and the
// crash did not reach, is shown too. A process that the crash gave rise to is `born`.
const branches = (steps, nameOf) => {
  const processes = new Map();
  for (const [, kind, number, name, above] of steps) {
    if (!processes.has(number)) processes.set(number, { number, name, above, below: [], born: kind === "restarted" });
    else if (processes.get(number).above === null) processes.get(number).above = above;
  }
  for (const { above } of [...processes.values()]) {
    if (above !== null && !processes.has(above)) {
      processes.set(above, { number: above, name: nameOf(above), above: null, below: [], outside: true });
    }
  }
  const roots = [];
  for (const one of processes.values()) {
    const over = processes.get(one.above);
    if (over && over !== one) over.below.push(one);
    else roots.push(one);
  }
  const lines = [];
  const walk = (one, depth) => {
    if (lines.includes(one)) return;
    lines.push(Object.assign(one, { depth }));
    for (const child of one.below) walk(child, depth + 1);
  };
  for (const root of roots) walk(root, 0);
  return lines;
};

const durations = (steps) => {
  const gaps = steps.slice(1).map(([at], index) => at - steps[index][0]);
  const whole = gaps.reduce((sum, gap) => sum + gap, 0) || 1;
  return gaps.map((gap) => Math.min(MOST, Math.max(LEAST, (gap / whole) * LENGTH)));
};

export const CrashStory = ({ story, nameOf, onStep, onFind, onClose }) => {
  const { steps } = story;
  const [at, setAt] = useState(steps.length - 1);
  const [playing, setPlaying] = useState(false);
  const box = useRef(null);
  const lines = useMemo(() => branches(steps, (number) => nameOf(number) ?? story.above?.[number]), [story]);
  const pauses = useMemo(() => durations(steps), [story]);
  useEffect(() => onStep(at), [at]);
  useEffect(() => box.current.focus({ preventScroll: false }), []);
  useEffect(() => {
    if (!playing) return undefined;
    if (at >= steps.length - 1) return setPlaying(false), undefined;
    const timer = setTimeout(() => setAt(at + 1), pauses[at] * 1000);
    return () => clearTimeout(timer);
  }, [playing, at]);
  useEffect(() => {
    box.current.querySelector(".steps [aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const stop = (next) => { setPlaying(false); setAt(Math.max(0, Math.min(steps.length - 1, next))); };
  const play = () => {
    if (playing) return setPlaying(false);
    if (at >= steps.length - 1) setAt(0);
    return setPlaying(true);
  };
  const states = new Map(steps.slice(0, at + 1).map(([, kind, number]) => [number, kind]));
  const now = steps[at];
  const whole = steps.at(-1)[0] - steps[0][0];
  const pressed = (event) => {
    if (event.key === "Escape") onClose();
    else if (event.key === "ArrowLeft") stop(at - 1);
    else if (event.key === "ArrowRight") stop(at + 1);
    else return;
    event.preventDefault();
  };
  return html`
    <section class="story" aria-label="How the crash spread" tabindex="-1" ref=${box} onKeyDown=${pressed}>
      <header>
        <h2>How it spread</h2>
        <span class="dim">${steps.length} steps in ${seconds(whole)}</span>
        <span class="grow"></span>
        <button type="button" class="accent" onClick=${play}>${playing ? "Pause" : "Slow motion"}</button>
        <button type="button" aria-label="Step back" disabled=${at === 0} onClick=${() => stop(at - 1)}>‹</button>
        <button type="button" aria-label="Step on" disabled=${at === steps.length - 1} onClick=${() => stop(at + 1)}>›</button>
        <button type="button" onClick=${() => onFind(...new Set([story.root, ...steps.map((step) => step[2]), ...steps.map((step) => step[4]).filter(Boolean)]))}>Show in the tree</button>
        <button type="button" aria-label="Close the story" onClick=${onClose}>✕</button>
      </header>
      <input type="range" min="0" max=${steps.length - 1} value=${at} aria-label="Step of the story"
             aria-valuetext=${`step ${at + 1} of ${steps.length}`} onInput=${(event) => stop(Number(event.target.value))} />
      <div class="spread" tabindex="0" role="group" aria-label="Steps">
        <ul class="concerned" aria-label="Processes concerned">${lines.filter((one) => !one.born || states.has(one.number)).map((one) => {
          const kind = states.get(one.number);
          const [shape, words] = KINDS[kind] ?? ["○", one.outside ? "stays" : "not reached yet"];
          return html`<li key=${one.number} class=${`${kind ?? "before"} ${one.number === now[2] ? "now" : ""}`}
              style=${{ paddingInlineStart: `calc(var(--step) * ${Math.min(one.depth, 12)} + 8px)` }}>
            <span class="shape" aria-hidden="true">${shape}</span>
            <button type="button" class="link" onClick=${() => go({ process: String(one.number) })}>${one.name ?? "process"}</button>
            <span class="pid">${one.number}</span> <span class="dim">${words}</span></li>`;
        })}</ul>
        <ol class="steps">${steps.map(([when, kind, number, name, , reason], index) => html`
          <li key=${index} class=${`${kind} ${index > at ? "later" : ""}`} aria-current=${index === at ? "step" : undefined}
              onClick=${() => stop(index)}>
            <span class="when">+${seconds(when - steps[0][0])}</span>
            <span class="shape" aria-hidden="true">${KINDS[kind]?.[0] ?? "·"}</span>
            <span><b>${name ?? `process ${number}`}</b> ${KINDS[kind]?.[1] ?? kind}${reason && html`<span class="reason">${reason}</span>`}</span>
          </li>`)}</ol>
      </div>
    </section>`;
};
