// What a screen reader is told without being asked: crashes at once, figures every ten seconds at most.
import { html } from "./html.js";
import { store, useStore } from "./store.js";

const PAUSE = 10_000;
const said = store("");
let last = 0;

export const announce = (text) => said.set(text);
export const announceFigures = (text) => {
  const now = Date.now();
  if (now - last < PAUSE) return;
  last = now;
  said.set(text);
};

export const LiveRegion = () => html`<div class="unseen" aria-live="polite" id="live">${useStore(said)}</div>`;
