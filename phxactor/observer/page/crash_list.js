// The last crashes, one line each; a press shows the story of one.
import { many, time, fullTime } from "./format.js";
import { html } from "./html.js";

export const CrashList = ({ stories, shown, onShow }) => html`
  <section class="crashes" aria-label="Last crashes">
    <h2>Crashes <span class="dim">${stories.length ? `the last ${stories.length}` : "none was seen yet"}</span></h2>
    <ol>${stories.map((story) => {
      const [, , number, name, , reason] = story.steps[0] ?? [story.at, "crashed", story.root, null, null, null];
      const others = new Set(story.steps.filter(([, kind]) => kind !== "restarted").map((step) => step[2])).size - 1;
      const restarted = story.steps.filter(([, kind]) => kind === "restarted").length;
      return html`<li key=${story.id}>
        <button type="button" class=${shown === story.id ? "on" : ""} aria-pressed=${shown === story.id ? "true" : "false"}
                onClick=${() => onShow(story)}>
          <time datetime=${new Date(story.at * 1000).toISOString()} title=${fullTime(story.at)}>${time(story.at)}</time>
          <b>${name ?? `process ${number}`}</b>
          <span class="reason">${reason}</span>
          <span class="dim">${others > 0 ? `took ${many(others, "other")}` : "alone"}${restarted ? `, ${restarted} restarted` : ""}</span>
        </button></li>`;
    })}</ol>
  </section>`;
