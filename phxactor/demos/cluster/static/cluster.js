// The page of the cluster demo: several visitors, each with a socket of its own, so that they are spread over workers.
import { Socket } from "./phoenix.mjs";

const $ = (id) => document.getElementById(id);
const element = (tag, className, ...children) => {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
};

const NAMES = ["you", "Ada", "Barbara", "Edsger", "Grace", "Joe", "Leslie", "Tony"];
const EVERY = 1000; // milliseconds between two messages of a visitor
const SHOWN = 60; // messages in the lobby
const tab = Math.random().toString(36).slice(2, 8); // several tabs have visitors of the same names

const visitors = [];
const pids = new Map(); // the process of each worker, as far as a visitor has been in it
let workers = []; // the numbers of the workers that are up

// ------------------------------------------------------------------------------------------------- a visitor

class Visitor {
  constructor(name) {
    this.name = name;
    this.key = `${name} ${tab}`;
    this.worker = null; // null while it is not in the lobby
    this.said = 0;
    this.heard = 0;
    this.missed = 0;
    this.last = new Map(); // the number of the last message of each visitor
    this.socket = new Socket("/socket", { reconnectAfterMs: () => 300 + Math.random() * 400 });
    this.lobby = this.socket.channel("lobby");
    this.socket.onClose(() => this.away());
    this.lobby.onError(() => this.away());
    this.lobby.on("said", (message) => this.hear(message));
    this.lobby.on("workers", (told) => note(told.workers));
    this.lobby.join().receive("ok", (answer) => this.there(answer));
    this.socket.connect();
  }

  there({ worker, pid, workers: told }) {
    this.worker = worker;
    pids.set(worker, pid);
    note(told);
  }

  away() {
    this.worker = null;
    this.last.clear(); // it was not there, so it has missed nothing
    draw();
  }

  say(body) {
    if (this.worker === null) return;
    this.said += 1;
    this.lobby.push("say", { name: this.key, body, number: this.said });
  }

  hear({ name, body, number, worker }) {
    const before = this.last.get(name);
    if (before !== undefined && number > before + 1) this.missed += number - before - 1;
    this.last.set(name, number);
    this.heard += 1;
    if (this === visitors[0]) show(name.split(" ")[0], body, worker);
  }
}

// -------------------------------------------------------------------------------------------------- the page

const show = (name, body, worker) => {
  const list = $("said");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const line = element("li", "", element("b", "", name), element("span", "worker", `worker ${worker}`), body);
  line.dataset.worker = worker;
  list.append(line);
  while (list.children.length > SHOWN) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
};

const note = (told) => {
  workers = told;
  for (const number of pids.keys()) if (!workers.includes(number)) pids.delete(number);
  draw();
};

const tile = (visitor) => {
  const text = `heard ${visitor.heard}, missed ${visitor.missed}`;
  return element("li", visitor === visitors[0] ? "you" : "", element("b", "", visitor.name), text);
};

const kill = (number) => visitors.find((one) => one.worker === number)?.lobby.push("kill", {});

const card = (number) => {
  const here = visitors.filter((one) => one.worker === number);
  const up = workers.includes(number);
  const button = element("button", "kill", "kill -9");
  button.type = "button";
  button.disabled = here.length === 0;
  button.title = here.length ? "Ends this process at once" : "A visitor in this worker would have to ask for it";
  button.addEventListener("click", () => kill(number));
  const pid = up && pids.has(number) ? `process ${pids.get(number)}` : "";
  const title = element("p", "title", element("b", "", `worker ${number}`), element("span", "", up ? pid : "down"), button);
  const made = element("li", up ? "up" : "down", title, element("ul", "", ...here.map(tile)));
  made.dataset.worker = number;
  return made;
};

const draw = () => {
  const you = visitors[0];
  const away = visitors.filter((one) => one.worker === null);
  $("status").dataset.state = you?.worker == null ? "bad" : "good";
  $("status").textContent = you?.worker == null ? "no connection; trying again …" : `you are in worker ${you.worker}`;
  for (const id of ["body", "send"]) $(id).disabled = you?.worker == null;
  const numbers = [...new Set([1, 2, 3, 4, ...workers])].sort((a, b) => a - b);
  const waiting = element("li", "waiting", element("p", "title", element("b", "", "on their way")));
  waiting.append(element("ul", "", ...away.map(tile)));
  const focused = document.activeElement?.closest?.("#workers > li")?.dataset.worker;
  $("workers").replaceChildren(...numbers.map(card), ...(away.length ? [waiting] : []));
  if (focused) $("workers").querySelector(`[data-worker="${focused}"] button`)?.focus();
};

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = $("body").value.trim();
  if (body) visitors[0].say(body);
  $("body").value = "";
});

for (const name of NAMES) visitors.push(new Visitor(name));
const LINES = ["still here", "hello", "all well", "anybody lost?", "next one", "on we go"];
visitors.slice(1).forEach((visitor, index) => {
  setTimeout(() => setInterval(() => visitor.say(LINES[visitor.said % LINES.length]), EVERY), (index * EVERY) / 7);
});
setInterval(draw, 500);
draw();
