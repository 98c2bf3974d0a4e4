// What phoenix.js does by long polling against the zoo, a line for each:
//   node phoenix.mjs NODE_MODULES phoenix-1.8.16 ZOO PROXY_THAT_REFUSES PROXY_THAT_SWALLOWS

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, version, zoo, refusing, swallowing] = process.argv.slice(2);
const WebSocket = createRequire(path.join(modules, "/"))("ws");
const isOld = version === "phoenix-1.7.14";
const PATIENCE = 60_000;

/** What 1.7.14 needs of a browser: enough of XMLHttpRequest, by fetch. The newer ones use fetch themselves. */
class Request {
  headers = {};
  abandoned = new AbortController();

  open(method, url) {
    Object.assign(this, { method, url });
  }

  setRequestHeader(name, value) {
    this.headers[name] = value;
  }

  send(body) {
    const { method, headers } = this;
    fetch(this.url, { method, headers, body, signal: this.abandoned.signal })
      .then((response) => response.text())
      .then((text) => {
        Object.assign(this, { readyState: 4, responseText: text });
        this.onreadystatechange();
      })
      .catch((error) => error.name === "AbortError" || this.onerror());
  }

  abort() {
    this.abandoned.abort();
  }
}
if (isOld) Object.assign(globalThis, { self: globalThis, XMLHttpRequest: Request });

const { Socket, LongPoll } = await import(pathToFileURL(path.join(modules, version, "priv/static/phoenix.mjs")).href);

let topics = 0;
const fresh = () => `room:lp:${version}:${(topics += 1)}`;

function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} has not happened`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
const happens = (register, what) => soon(new Promise((resolve) => register(resolve)), what);

const answer = (push) =>
  happens((resolve) => {
    for (const status of ["ok", "error", "timeout"]) push.receive(status, (response) => resolve([status, response]));
  }, "an answer");
const event = (channel, name) => happens((resolve) => channel.on(name, resolve), name);

let open = [];
function client(options = {}, base = zoo, mount = "/socket") {
  const socket = new Socket(base + mount, {
    transport: LongPoll,
    timeout: PATIENCE,
    reconnectAfterMs: () => 10,
    rejoinAfterMs: () => 10,
    ...options,
  });
  socket.connect();
  open.push(socket);
  return socket;
}

async function joined(socket, topic = fresh()) {
  const channel = socket.channel(topic);
  const [status] = await answer(channel.join());
  assert.equal(status, "ok");
  return channel;
}

function storage() {
  const stored = new Map();
  return { stored, getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
}

const scenarios = {
  "joins and pushes are answered": async () => {
    const socket = client({ params: { user_id: "42" } });
    assert.deepEqual(await answer(socket.channel("room:lobby").join()), ["ok", { hello: "lobby" }]);
    assert.deepEqual(await answer(socket.channel("room:error").join()), ["error", { reason: "unauthorized" }]);
    const channel = await joined(socket);
    const payload = { text: "grüße 💧", lines: "a\nb\r\nc" };
    assert.deepEqual(await answer(channel.push("echo", payload)), ["ok", payload]);
    assert.deepEqual(await answer(channel.push("reply_error", { why: "no" })), ["error", { why: "no" }]);
    const [, { transport, id }] = await answer(channel.push("info", {}));
    assert.deepEqual([transport, id], ["longpoll", "users_socket:42"]);
  },

  "polls and WebSockets share a topic": async () => {
    const topic = fresh();
    const polling = await joined(client(), topic);
    const streaming = await joined(client({ transport: WebSocket }), topic);
    for (const [sender, n] of [
      [polling, 1],
      [streaming, 2],
    ]) {
      const heard = Promise.all([event(polling, "broadcast"), event(streaming, "broadcast")]);
      sender.push("broadcast", { n });
      assert.deepEqual(await heard, [{ n }, { n }]);
    }
  },

  "bytes reach a channel": async () => {
    const channel = await joined(client());
    assert.deepEqual(await answer(channel.push("count", new Uint8Array([0, 10, 91, 255]).buffer)), ["ok", { count: 1 }]);
  },

  "many pushes in one breath": async () => {
    const many = isOld ? 100 : 350; // it sends all of them as one request, of which more than 100 lines are not taken
    const channel = await joined(client());
    const answers = await Promise.all(Array.from({ length: many }, (_, n) => answer(channel.push("echo", { n }))));
    assert.deepEqual(answers, answers.map((_, n) => ["ok", { n }]));
  },

  "a crashed channel is joined again": async () => {
    const channel = await joined(client());
    assert.deepEqual(await answer(channel.push("count", {})), ["ok", { count: 1 }]);
    const error = happens((resolve) => channel.onError(resolve), "the error");
    channel.push("crash", {});
    assert.deepEqual(await error, { reason: "channel_crash" });
    await happens((resolve) => {
      const timer = setInterval(() => {
        if (channel.state === "joined") resolve(clearInterval(timer));
      }, 5);
    }, "the join");
    assert.deepEqual(await answer(channel.push("count", {})), ["ok", { count: 1 }]);
  },

  "a client that is disconnected comes back": async () => {
    if (isOld) return "1.7.14 takes a session that is gone for one that opens, and does not join again";
    const socket = client({ params: { user_id: version } });
    const channel = await joined(socket);
    await answer(channel.push("count", {}));
    const opened = happens((resolve) => socket.onOpen(resolve), "the reconnection");
    await fetch(`${zoo}/admin/disconnect?id=users_socket:${version}`, { method: "POST" });
    await opened;
    assert.deepEqual(await answer(channel.push("count", {})), ["ok", { count: 1 }]);
  },

  "a refused client is told": async () => {
    const socket = client({ params: { reject: "true" } });
    await happens((resolve) => socket.onError(resolve), "the error");
    assert.notEqual(socket.connectionState(), "open");
  },

  "a token comes in a header": async () => {
    if (isOld) return "this version has no authToken";
    const socket = client({ authToken: "secret.token", params: { keep_info: "true" } }, zoo, "/strict");
    const channel = await joined(socket);
    const [, { connect_info }] = await answer(channel.push("connect_info", {}));
    assert.equal(connect_info.auth_token, "secret.token");
  },

  "leaving and going": async () => {
    const socket = client();
    const channel = await joined(socket);
    assert.deepEqual(await answer(channel.leave()), ["ok", {}]);
    await happens((resolve) => socket.disconnect(resolve), "the end");
    assert.equal(socket.isConnected(), false);
  },
};

for (const [how, proxy] of [
  ["refused", refusing],
  ["swallowed", swallowing],
]) {
  scenarios[`where WebSockets are ${how}, it falls back`] = async () => {
    const sessionStorage = storage();
    const socket = client({ transport: WebSocket, longPollFallbackMs: 300, sessionStorage }, proxy);
    const channel = await joined(socket);
    assert.equal(socket.transport, LongPoll);
    assert.deepEqual(await answer(channel.push("echo", { n: 1 })), ["ok", { n: 1 }]);
    assert.equal((await answer(channel.push("info", {})))[1].transport, "longpoll");
    assert.deepEqual([...sessionStorage.stored.values()], ["true"]); // so that the next page does not try
  };
}

let failures = 0;
const names = Object.keys(scenarios);
console.log(`1..${names.length}`);
for (const [index, name] of names.entries()) {
  let line = `ok ${index + 1} - ${name}`;
  try {
    const skipped = await scenarios[name]();
    if (skipped) line += ` # SKIP ${skipped}`;
  } catch (error) {
    failures += 1;
    line = `not ${line}\n${String(error.stack).replace(/^/gm, "# ")}`;
  }
  console.log(line);
  for (const socket of open) socket.disconnect();
  open = [];
}
process.exit(failures ? 1 : 0);
