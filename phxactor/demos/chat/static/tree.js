// The tree beside the chat: what the observer of the program sends to its own page, drawn as text.
import { Socket } from "./phoenix.mjs";

const AWAKE = 60_000; // milliseconds between two words to the observer that somebody looks
const BRANCHES = { supervised: ["├─ ", "└─ "], linked: ["├╌ ", "└╌ "], spawned: ["├╌ ", "└╌ "] };

const socket = new Socket("/observer/socket");
const channel = socket.channel("observer:tree");
const box = document.getElementById("tree");
let rows = [];
let mine = null; // the number of the process of this tab's channel

const draw = () => {
  const bars = [];
  box.replaceChildren(...rows.map((row) => {
    const [, depth, relation, number, name, label, call, , , , , , , , position, size, , mark] = row;
    const last = position === size;
    const branch = depth === 0 ? "" : bars.slice(1, depth).join("") + (BRANCHES[relation] ?? BRANCHES.spawned)[last ? 1 : 0];
    bars[depth] = last ? "   " : "│  ";
    const line = document.createElement("span");
    line.textContent = `${branch}${name ?? call}${number === null ? "" : ` <${number}>`}${label ? ` · ${label}` : ""}`;
    line.classList.toggle("mine", number !== null && number === mine);
    if (mark) line.classList.add(mark === "restarted" ? "new" : mark);
    return line;
  }));
};

channel.on("rows", (answer) => {
  rows = answer.rows;
  draw();
});
channel.join().receive("ok", () => channel.push("view", { depth: 20, count: 200 }));
socket.onError(() => {
  if (rows.length === 0) box.textContent = "The observer answers on this machine only: open the page as 127.0.0.1.";
});
setInterval(() => document.hidden || channel.push("here", {}), AWAKE);
socket.connect();

export const mark = (number) => {
  mine = number;
  draw();
};
