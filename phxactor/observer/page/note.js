// What came of a button: a line at the foot of the page that goes by itself.
import { html } from "./html.js";
import { announce } from "./live_region.js";
import { store, useStore } from "./store.js";

const STAYS = 6_000; // milliseconds
const current = store(null);
let timer;

export const note = (text, bad = false) => {
  clearTimeout(timer);
  current.set({ text, bad });
  announce(text);
  timer = setTimeout(() => current.set(null), STAYS);
};

// Does what a button is for, and says how it went.
export const attempt = async (work, done) => {
  try {
    const answer = await work();
    if (done) note(typeof done === "function" ? done(answer) : done);
    return answer;
  } catch (error) {
    note(`Refused: ${error.message}`, true);
    return null;
  }
};

export const Note = () => {
  const shown = useStore(current);
  return shown && html`<p class=${`note ${shown.bad ? "bad" : ""}`}>${shown.text}</p>`;
};
