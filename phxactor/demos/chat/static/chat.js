// The page of the chat. All that people wrote is put into it as text, never as markup.
import { Presence, Socket } from "./phoenix.mjs";
import { mark } from "./tree.js";

const $ = (id) => document.getElementById(id);
const element = (tag, className, ...children) => {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
};

// Each tab is somebody: it remembers its name, and the secret by which the server tells it its own messages.
const remembered = (key, fresh) => {
  const value = sessionStorage.getItem(key) ?? fresh();
  sessionStorage.setItem(key, value);
  return value;
};
const random = (length) => Array.from(crypto.getRandomValues(new Uint8Array(length)));
const NAMES = ["Ada", "Alan", "Barbara", "Dennis", "Edsger", "Grace", "Joe", "Ken", "Leslie", "Robert", "Tony"];
const user = remembered("user", () => random(16).join("."));
$("name").value = remembered("name", () => `${NAMES[random(1)[0] % NAMES.length]} ${10 + (random(1)[0] % 90)}`);

const socket = new Socket("/socket");
const chat = socket.channel("chat:lobby", () => ({ name: sessionStorage.getItem("name"), user }));
let pid = null; // the process of this tab's channel
let latest = 0; // the id of the last message that is shown

// ---------------------------------------------------------------------------------------------------- status

const status = (state, text) => {
  $("status").dataset.state = state;
  $("status").textContent = text;
  for (const id of ["crash", "body", "send"]) $(id).disabled = state !== "good";
};

socket.onClose(() => status("bad", "no connection; trying again …"));
socket.onOpen(() => status("waiting", "connected; joining …"));
chat.onError(() => {
  if (!socket.isConnected()) return;
  status("bad", `your channel, process <${pid}>, crashed; joining again …`);
  pid = null;
});

chat.join()
  .receive("ok", (answer) => {
    pid = answer.pid;
    status("good", `joined; your channel is process <${pid}>`);
    answer.recent.forEach(show);
    mark(pid);
  })
  .receive("error", ({ reason }) => status("bad", `not let in: ${reason}`))
  .receive("timeout", () => status("bad", "no answer; trying again …"));

// -------------------------------------------------------------------------------------------------- presence

const presence = new Presence(chat);
presence.onSync(() => {
  const people = presence.list((name, { metas }) => metas.length > 1 ? `${name} (${metas.length} tabs)` : name);
  $("here").textContent = `here: ${people.join(", ")}`;
});

// -------------------------------------------------------------------------------------------------- messages

const append = (item) => {
  const list = $("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(item);
  if (atEnd) list.scrollTop = list.scrollHeight;
};

const hue = (name) => [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);

const show = ({ id, name, body, at, mine }) => {
  if (id <= latest) return; // after a rejoin the server tells of old messages again
  latest = id;
  const who = element("b", "", name);
  who.style.setProperty("--hue", hue(name));
  const when = new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  append(element("li", mine ? "mine" : "", element("div", "who", who, when), element("div", "body", body)));
};

const ask = (event, payload, done) => {
  const problem = (text) => { $("problem").textContent = text; };
  chat.push(event, payload)
    .receive("ok", () => { problem(""); done?.(); })
    .receive("error", ({ errors, reason }) => problem(errors?.join("; ") ?? reason ?? "refused"))
    .receive("timeout", () => problem("no answer"));
};

chat.on("said", show);
chat.on("notice", ({ text }) => append(element("li", "notice", text)));

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = $("body").value.trim();
  if (body) ask("say", { body }, () => { $("body").value = ""; });
});
$("name").addEventListener("change", () => {
  const name = $("name").value.trim();
  if (!name) $("name").value = sessionStorage.getItem("name");
  else ask("rename", { name }, () => sessionStorage.setItem("name", name));
});
$("crash").addEventListener("click", () => chat.push("crash", {}));

socket.connect();
