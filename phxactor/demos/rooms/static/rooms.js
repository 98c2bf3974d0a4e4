// The page of the rooms demo: visitors, each with a socket of its own, add to rooms; it shows where each room is.
import { Socket } from "./phoenix.mjs";

const $ = (id) => document.getElementById(id);
const element = (tag, className, ...children) => {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
};

const VISITORS = 8;
const EVERY = 400; // milliseconds between two additions of a visitor
const FRESH = 3000; // milliseconds for which a room that has moved is marked
const SHOWN = 80; // lines of what has happened

const visitors = [];
const pids = new Map(); // the process of each worker, as far as a visitor has been in it
const rooms = new Map(); // name -> { count, worker, term, at }: what was heard last of each room
let names = [];
let workers = []; // the numbers of the workers that are up
let lost = 0;
let unknown = 0; // additions whose answer never came

// ------------------------------------------------------------------------------------------------- a visitor

class Visitor {
  constructor() {
    this.worker = null; // null while it is not in the house
    this.socket = new Socket("/socket", { reconnectAfterMs: () => 300 + Math.random() * 400 });
    this.house = this.socket.channel("house");
    this.socket.onClose(() => this.away());
    this.house.onError(() => this.away());
    this.house.on("counted", (counted) => this === visitors[0] && hear(counted));
    this.house.on("workers", (told) => note(told.workers));
    this.house.join().receive("ok", (answer) => this.there(answer));
    this.socket.connect();
  }

  there({ worker, pid, workers: told, rooms: all }) {
    this.worker = worker;
    names = all;
    pids.set(worker, pid);
    note(told);
  }

  away() {
    this.worker = null;
    draw();
  }

  add(room) {
    if (this.worker === null || !names.length) return;
    const chosen = room ?? names[Math.floor(Math.random() * names.length)];
    this.house
      .push("add", { room: chosen })
      .receive("ok", hear)
      .receive("error", () => (unknown += 1));
  }
}

// --------------------------------------------------------------------------------------------------- rooms

const later = (term, other) => term[0] - other[0] || term[1] - other[1];

const hear = ({ room, count, worker, term, began }) => {
  const before = rooms.get(room);
  const order = before ? later(term, before.term) : 1;
  if (order < 0) return;
  if (order === 0) {
    before.count = Math.max(before.count, count);
    return;
  }
  rooms.set(room, { count, worker, term, at: before ? performance.now() : -FRESH });
  if (!before) return;
  const gone = Math.max(0, before.count - began);
  lost += gone;
  const way = `worker ${before.worker} → worker ${worker}`;
  const what = gone ? `${way}, ${gone} lost` : `${way}, ${began} came along`;
  tell(room, what, gone ? "lost" : "moved");
};

const tell = (room, what, className) => {
  const list = $("said");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(element("li", className, element("b", "", room), what));
  while (list.children.length > SHOWN) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
};

// ------------------------------------------------------------------------------------------------- the page

const note = (told) => {
  workers = told;
  for (const number of pids.keys()) if (!workers.includes(number)) pids.delete(number);
  draw();
};

const button = (text, className, title, act) => {
  const made = element("button", className, text);
  made.type = "button";
  made.title = title;
  made.addEventListener("click", act);
  return made;
};

const tile = ([name, { count, at }]) => {
  const made = button("", performance.now() - at < FRESH ? "room new" : "room", "Add one", () => visitors[0].add(name));
  made.append(element("b", "", name), String(count));
  made.dataset.key = name;
  return element("li", "", made);
};

const ask = (number, what) => visitors.find((one) => one.worker === number)?.house.push(what, {});

const card = (number) => {
  const up = workers.includes(number);
  const here = visitors.filter((one) => one.worker === number).length;
  const drain = button("drain", "drain", "Stops this process in order: its rooms move", () => ask(number, "drain"));
  const kill = button("kill -9", "kill", "Ends this process at once: its rooms begin anew", () => ask(number, "kill"));
  for (const one of [drain, kill]) {
    one.disabled = here === 0;
    one.dataset.key = `${number} ${one.textContent}`;
    if (!here) one.title = "A visitor in this worker would have to ask for it";
  }
  const told = up ? `${pids.has(number) ? `process ${pids.get(number)}, ` : ""}${here} visitors` : "down";
  const title = element("p", "title", element("b", "", `worker ${number}`), told, element("span", "buttons", drain, kill));
  const mine = [...rooms].filter(([, room]) => room.worker === number).sort(([one], [other]) => (one < other ? -1 : 1));
  const made = element("li", up ? "up" : "down", title, element("ul", "", ...mine.map(tile)));
  made.dataset.worker = number;
  return made;
};

const draw = () => {
  const you = visitors[0];
  const away = visitors.filter((one) => one.worker === null).length;
  $("status").dataset.state = you?.worker == null ? "bad" : "good";
  const others = away ? `; ${away} visitors are on their way back` : "";
  $("status").textContent = you?.worker == null ? "no connection; trying again …" : `you are in worker ${you.worker}${others}`;
  const sum = [...rooms.values()].reduce((total, room) => total + room.count, 0);
  $("sum").textContent = `${sum} counted, ${lost} lost${unknown ? `, ${unknown} unanswered` : ""}`;
  const numbers = [...new Set([1, 2, 3, 4, ...workers])].sort((a, b) => a - b);
  const focused = document.activeElement?.dataset?.key;
  $("workers").replaceChildren(...numbers.map(card));
  if (focused) $("workers").querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
};

for (let number = 0; number < VISITORS; number += 1) visitors.push(new Visitor());
visitors.forEach((visitor, index) => setTimeout(() => setInterval(() => visitor.add(), EVERY), (index * EVERY) / VISITORS));
setInterval(draw, 250);
draw();
