// The one socket of the page. It is open while the page is seen, and phoenix.js brings it back after a loss.
import { Socket } from "phoenix";
import { setToken, token } from "./route.js";
import { store } from "./store.js";

const PATH = `${location.pathname.replace(/\/+$/, "")}/socket`;
const REFUSALS = 3; // so many refused connects in a row, and the page asks for a token

// opening, open, lost; `since` is when it was lost, in milliseconds.
export const connection = store({ state: "opening", since: Date.now() });
export const refused = store(false);
export const seen = store(!document.hidden); // a hidden tab leaves its topics
export const idle = store(false); // the server has sent this page to sleep, since nobody touched it

document.addEventListener("visibilitychange", () => seen.set(!document.hidden));

let failures = 0;
export const socket = new Socket(PATH, {
  reconnectAfterMs: (tries) => [250, 500, 1000, 2000][tries - 1] ?? 3000,
  rejoinAfterMs: (tries) => [500, 1000, 2000][tries - 1] ?? 5000,
});

socket.onOpen(() => {
  failures = 0;
  refused.set(false);
  connection.set({ state: "open", since: Date.now() });
});
socket.onClose(() => {
  const { state, since } = connection.get();
  failures += 1;
  if (state === "opening" && failures >= REFUSALS) refused.set(true);
  if (state === "open") connection.set({ state: "lost", since: Date.now() });
  else if (state === "lost") connection.set({ state, since });
});

// phoenix.js sends the token as a subprotocol of the WebSocket, so that it stands in no address and in no log.
export const connect = () => {
  socket.authToken = token() ? token : undefined;
  socket.connect();
};

export const openWith = (value) => {
  setToken(value);
  failures = 0;
  refused.set(false);
  socket.disconnect(connect);
};

// The server stops looking for a page that nobody touches. So each topic tells it, once a minute at most, that somebody is
// here: `touched` is when that was, in whole minutes.
const MINUTE = 60_000;
export const touched = store(0);
for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  addEventListener(kind, () => touched.set(Math.floor(Date.now() / MINUTE)), { passive: true });
}
