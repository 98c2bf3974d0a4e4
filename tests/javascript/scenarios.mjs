// What phoenix.js does against the zoo: `node scenarios.mjs phoenix-1.8.16 http://127.0.0.1:4100` prints a line for each.

import assert from "node:assert/strict";
import WebSocket from "ws";

const [version, url] = process.argv.slice(2);
const { Socket, Presence } = await import(version);
const PATIENCE = 60_000;
const knowsTokens = version !== "phoenix-1.7.14";
const safeKeys = knowsTokens; // before 1.8.9 the state is a plain object

let topics = 0;
/** A topic of one's own, so that scenarios do not hear each other. */
const fresh = (kind = "room") => `${kind}:${version}:${(topics += 1)}`;

/** Wait for a promise, but not for ever. */
function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} has not happened`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What a push or a join is answered with, as [status, response]. */
function answer(push) {
  const statuses = ["ok", "error", "timeout", "maybe"];
  return soon(
    new Promise((resolve) => {
      for (const status of statuses) push.receive(status, (response) => resolve([status, response]));
    }),
    "an answer",
  );
}

/** The next event of a channel. */
const event = (channel, name) =>
  soon(
    new Promise((resolve) => {
      const ref = channel.on(name, (payload) => {
        channel.off(name, ref);
        resolve(payload);
      });
    }),
    name,
  );

const happens = (register, what) => soon(new Promise((resolve) => register(resolve)), what);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const bytes = (buffer) => [...new Uint8Array(buffer)];
const post = (path) => fetch(url + path, { method: "POST" }).then((response) => assert.equal(response.status, 200));

/** Wait until a condition holds. */
async function until(condition, what) {
  for (const end = Date.now() + PATIENCE; !condition(); await pause(10)) {
    if (Date.now() > end) throw new Error(`${what} has not happened`);
  }
}

/** A client that is present under a key of a topic, and notes who comes and goes. */
async function present(topic, key) {
  const socket = client();
  const channel = socket.channel(topic, { key });
  const member = { key, socket, channel, presence: new Presence(channel), came: [], went: [] };
  member.presence.onJoin((id, before) => before ?? member.came.push(id));
  member.presence.onLeave((id, now) => now.metas.length || member.went.push(id));
  const [status] = await answer(channel.join());
  assert.equal(status, "ok");
  return member;
}

/** Wait until all members see these keys, each with a number of metas. */
async function all(members, wanted) {
  const sorted = JSON.stringify(Object.entries(wanted).sort());
  const seen = ({ presence }) => JSON.stringify(presence.list((id, { metas }) => [id, metas.length]).sort());
  await until(() => members.every((member) => seen(member) === sorted), `to see ${sorted}`);
}

const open = [];
/** A connected client, whose back-offs are short. */
function client(options = {}, path = "/socket") {
  const socket = new Socket(url.replace("http", "ws") + path, {
    transport: WebSocket,
    timeout: PATIENCE,
    reconnectAfterMs: () => 10,
    rejoinAfterMs: () => 10,
    ...options,
  });
  socket.connect();
  open.push(socket);
  return socket;
}

/** A channel that has been joined. */
async function joined(socket, topic = fresh(), payload = {}) {
  const channel = socket.channel(topic, payload);
  const [status] = await answer(channel.join());
  assert.equal(status, "ok");
  return channel;
}

const scenarios = {
  "joins are answered": async () => {
    const socket = client();
    assert.deepEqual(await answer(socket.channel("room:lobby").join()), ["ok", { hello: "lobby" }]);
    assert.deepEqual(await answer(socket.channel("room:join_echo", { a: ["ü", null, 1.5] }).join()), [
      "ok",
      { a: ["ü", null, 1.5] },
    ]);
    assert.equal(socket.connectionState(), "open");
  },

  "joins are refused": async () => {
    const socket = client();
    for (const [topic, reason] of [
      ["room:error", "unauthorized"],
      ["room:raise", "join crashed"],
      ["nowhere:1", "unmatched topic"],
    ]) {
      const channel = socket.channel(topic);
      assert.deepEqual(await answer(channel.join()), ["error", { reason }]);
      channel.leave();
    }
  },

  "pushes are answered": async () => {
    const channel = await joined(client());
    assert.deepEqual(await answer(channel.push("echo", { n: 1, s: "žluťoučký 💧" })), [
      "ok",
      { n: 1, s: "žluťoučký 💧" },
    ]);
    assert.deepEqual(await answer(channel.push("reply_error", { why: "no" })), ["error", { why: "no" }]);
    assert.deepEqual(await answer(channel.push("reply_odd_status", { p: 1 })), ["maybe", { p: 1 }]);
    assert.deepEqual(await answer(channel.push("async_reply", { later: true })), ["ok", { later: true }]);
  },

  "a push that is not answered times out": async () => {
    const channel = await joined(client());
    assert.equal((await answer(channel.push("noreply", {}, 50)))[0], "timeout");
    assert.deepEqual(await answer(channel.push("echo", { n: 1 })), ["ok", { n: 1 }]);
  },

  "what is pushed while joining is sent afterwards": async () => {
    const channel = client().channel("room:slow");
    channel.join();
    const answers = [1, 2, 3].map((n) => answer(channel.push("echo", { n })));
    assert.deepEqual(await Promise.all(answers), [1, 2, 3].map((n) => ["ok", { n }]));
  },

  "the server pushes": async () => {
    const channel = await joined(client());
    const pushed = event(channel, "pushed");
    channel.push("push", { n: 1 });
    assert.deepEqual(await pushed, { n: 1 });
    const late = client().channel("room:afterjoin");
    const after = event(late, "after_join");
    late.join();
    assert.deepEqual(await after, { n: 1 });
  },

  "two clients in one room hear each other": async () => {
    const topic = fresh();
    const [one, other] = [await joined(client(), topic), await joined(client(), topic)];
    for (const [sender, name] of [
      [one, "broadcast"],
      [other, "intercepted"],
    ]) {
      const heard = Promise.all([event(one, name), event(other, name)]);
      sender.push(name, { from: name });
      const expected = name === "broadcast" ? { from: name } : { from: name, via: "handle_out" };
      assert.deepEqual(await heard, [expected, expected]);
    }
    let own = 0;
    one.on("broadcast_from", () => (own += 1));
    const heard = event(other, "broadcast_from");
    one.push("broadcast_from", {});
    await heard;
    await answer(one.push("echo", {}));
    assert.equal(own, 0);
  },

  "leaving is answered and closes": async () => {
    const socket = client();
    const channel = await joined(socket);
    const closed = happens((resolve) => channel.onClose(resolve), "the close");
    assert.deepEqual(await answer(channel.leave()), ["ok", {}]);
    await closed;
    assert.equal(channel.state, "closed");
    assert.deepEqual(socket.channels, []);
  },

  "a topic can be left and joined in one breath": async () => {
    const socket = client();
    const topic = fresh();
    const first = await joined(socket, topic);
    first.leave();
    const second = await joined(socket, topic);
    assert.deepEqual(await answer(second.push("count", {})), ["ok", { count: 1 }]);
    await happens((resolve) => (first.state === "closed" ? resolve() : first.onClose(resolve)), "the close");
    assert.deepEqual(await answer(second.push("count", {})), ["ok", { count: 2 }]);
  },

  "a second channel on a topic takes the place of the first": async () => {
    const socket = client();
    const topic = fresh();
    const first = await joined(socket, topic);
    const closed = happens((resolve) => first.onClose(resolve), "the close");
    const second = await joined(socket, topic);
    await closed;
    assert.deepEqual(await answer(second.push("count", {})), ["ok", { count: 1 }]);
  },

  "bytes go both ways": async () => {
    const channel = await joined(client());
    const sent = new Uint8Array(256).map((_, n) => n);
    const [status, response] = await answer(channel.push("binary_echo", sent.buffer));
    assert.equal(status, "ok");
    assert.deepEqual(bytes(response), [...sent]);
    const [odd, other] = await answer(channel.push("binary_error_reply", {}));
    assert.deepEqual([odd, bytes(other)], ["error", [3, 2, 1]]);
    for (const [name, heard, expected] of [
      ["binary_push", "bin", [0, 1, 2, 255]],
      ["binary_broadcast", "binb", [9, 8, 7]],
    ]) {
      const payload = event(channel, heard);
      channel.push(name, {});
      assert.deepEqual(bytes(await payload), expected);
    }
  },

  "a crashed channel is joined again by itself": async () => {
    const socket = client();
    const [channel, other] = [await joined(socket), await joined(socket)];
    await answer(other.push("count", {}));
    assert.deepEqual(await answer(channel.push("count", {})), ["ok", { count: 1 }]);
    for (const crash of ["crash", "exit_normal", "kill_self", "no_such_event"]) {
      const reason = happens((resolve) => channel.onError(resolve), "the error");
      channel.push(crash, {});
      assert.deepEqual(await reason, { reason: "channel_crash" });
      await happens(async (resolve) => {
        while (channel.state !== "joined") await pause(5);
        resolve();
      }, "the join");
      assert.deepEqual(await answer(channel.push("count", {})), ["ok", { count: 1 }], "it begins anew");
    }
    assert.deepEqual(await answer(other.push("count", {})), ["ok", { count: 2 }], "the other has not noticed");
  },

  "a channel that the server closes stays closed": async () => {
    const channel = await joined(client());
    const closed = happens((resolve) => channel.onClose(resolve), "the close");
    assert.deepEqual(await answer(channel.push("stop_reply", {})), ["ok", { bye: true }]);
    await closed;
    await pause(50);
    assert.equal(channel.state, "closed");
  },

  "a client that is disconnected comes back": async () => {
    const user_id = fresh("user");
    const socket = client({ params: { user_id } });
    const channels = [await joined(socket), await joined(socket)];
    await answer(channels[0].push("count", {}));
    for (let times = 0; times < 3; times += 1) {
      const closed = happens((resolve) => socket.onClose(resolve), "the close");
      const opened = happens((resolve) => socket.onOpen(resolve), "the reconnection");
      await post(`/admin/disconnect?id=users_socket:${encodeURIComponent(user_id)}`);
      assert.equal((await closed).code, 1001);
      await opened;
      for (const channel of channels) {
        assert.deepEqual(await answer(channel.push("count", {})), ["ok", { count: 1 }]);
      }
    }
  },

  "a client may go and come by itself": async () => {
    const socket = client();
    const channel = await joined(socket);
    await happens((resolve) => socket.disconnect(resolve, 1000, "bye"), "the close");
    socket.connect();
    assert.deepEqual(await answer(channel.push("count", {})), ["ok", { count: 1 }]);
  },

  "heartbeats are answered": async () => {
    // The client closes unless each answer comes before its next beat: a busy machine has more time for it.
    let closes = 0;
    for (const heartbeatIntervalMs of [100, 1000, 10_000]) {
      const socket = client({ heartbeatIntervalMs });
      let beats = 0;
      closes = 0;
      socket.onClose(() => (closes += 1));
      await happens((resolve) => {
        socket.onMessage(({ topic, payload }) => {
          if (topic === "phoenix" && payload.status === "ok" && (beats += 1) === 3) resolve();
        });
      }, "three heartbeats");
      if (closes === 0) return;
    }
    assert.equal(closes, 0);
  },

  "params reach connect, nested too": async () => {
    const params = { user_id: "42", keep_info: "true", a: { b: { c: "d", empty: "" }, e: "f g&h=ü" } };
    const channel = await joined(client({ params }));
    const [status, { params: seen, connect_info: info }] = await answer(channel.push("connect_info", {}));
    assert.equal(status, "ok");
    assert.deepEqual({ ...seen, vsn: undefined }, { ...params, vsn: undefined });
    assert.equal(info.uri.path, "/socket/websocket");
    const [, { user_id, id, transport }] = await answer(channel.push("info", {}));
    assert.deepEqual([user_id, id, transport], ["42", "users_socket:42", "websocket"]);
  },

  "a refused connect is an error, tried again": async () => {
    const socket = client({ params: { reject: "true" } });
    let errors = 0;
    await happens((resolve) => socket.onError(() => (errors += 1) === 3 && resolve()), "three errors");
    assert.notEqual(socket.connectionState(), "open");
  },

  "a token comes as a sub-protocol": async () => {
    if (!knowsTokens) return "this version has no authToken";
    const socket = client({ authToken: "secret.token", params: { keep_info: "true" } }, "/strict");
    const channel = await joined(socket);
    const [, { connect_info }] = await answer(channel.push("connect_info", {}));
    assert.equal(connect_info.auth_token, "secret.token");
    assert.equal(socket.conn.protocol, "phoenix");
  },

  "a client that would fall back to long polling need not": async () => {
    const stored = new Map();
    const sessionStorage = {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => stored.set(key, value),
    };
    const socket = client({ longPollFallbackMs: PATIENCE / 2, sessionStorage });
    await joined(socket);
    assert.ok(socket.conn instanceof WebSocket);
  },

  "a hundred channels": async () => {
    const socket = client();
    const channels = await Promise.all(Array.from({ length: 100 }, () => joined(socket)));
    const answers = await Promise.all(channels.map((channel, n) => answer(channel.push("echo", { n }))));
    assert.deepEqual(answers, channels.map((_, n) => ["ok", { n }]));
    const one_more = socket.channel(fresh());
    assert.deepEqual(await answer(one_more.join()), ["error", { reason: "too many channels joined" }]);
  },

  "two clients see each other's presence": async () => {
    const topic = fresh("pres");
    const [ann, bob] = [await present(topic, "ann"), await present(topic, "bob")];
    await all([ann, bob], { ann: 1, bob: 1 });
    ann.channel.push("update", { key: "ann", meta: { at: "t1" } });
    await until(() => bob.presence.state.ann?.metas[0].at === "t1", "the update");
    const tab = await present(topic, "ann");
    await all([ann, bob, tab], { ann: 2, bob: 1 });
    ann.socket.disconnect();
    await all([bob, tab], { ann: 1, bob: 1 });
    tab.channel.leave();
    await all([bob], { bob: 1 });
    assert.deepEqual(bob.came.sort(), ["ann", "bob"]);
    assert.deepEqual(bob.went, ["ann"]);
  },

  "who crashes is gone for a moment, and is back": async () => {
    const topic = fresh("pres");
    const [ann, bob] = [await present(topic, "ann"), await present(topic, "bob")];
    await all([ann, bob], { ann: 1, bob: 1 });
    const [{ phx_ref: before }] = ann.presence.state.ann.metas;
    ann.channel.push("crash", {});
    await until(() => bob.presence.state.ann?.metas[0].phx_ref !== before, "another ref");
    await all([ann, bob], { ann: 1, bob: 1 });
  },

  "keys are any text": async () => {
    const topic = fresh("pres");
    const keys = ["", "😀", "a b", "1"];
    if (safeKeys) keys.push("__proto__", "constructor");
    const members = await Promise.all(keys.map((key) => present(topic, key)));
    await all(members, Object.fromEntries(keys.map((key) => [key, 1])));
    members.at(-1).socket.disconnect();
    await all(members.slice(0, -1), Object.fromEntries(keys.slice(0, -1).map((key) => [key, 1])));
  },

  "after a storm all clients have one list": async () => {
    const topic = fresh("pres");
    const members = await Promise.all(Array.from({ length: 60 }, (_, n) => present(topic, `k${n % 40}`)));
    const stay = members.filter((_, n) => n % 3);
    for (const member of members) if (!stay.includes(member)) member.socket.disconnect();
    for (const [n, member] of stay.entries()) {
      if (n % 5 === 0) member.channel.push("update", { key: member.key, meta: { n } });
      if (n % 7 === 0) member.channel.push("crash", {});
    }
    const wanted = {};
    for (const { key } of stay) wanted[key] = (wanted[key] ?? 0) + 1;
    await all(stay, wanted);
    const response = await fetch(`${url}/admin/presence?topic=${encodeURIComponent(topic)}`);
    const listed = Object.entries(await response.json()).map(([key, { metas }]) => [key, metas.length]);
    assert.deepEqual(Object.fromEntries(listed.sort()), Object.fromEntries(Object.entries(wanted).sort()));
  },
};

let failures = 0;
const names = Object.keys(scenarios);
console.log(`1..${names.length}`);
for (const [index, name] of names.entries()) {
  let line = `ok ${index + 1} - ${name}`;
  try {
    await scenarios[name]();
  } catch (error) {
    failures += 1;
    line = `not ${line}\n${String(error.stack).replace(/^/gm, "# ")}`;
  }
  console.log(line);
  for (const socket of open.splice(0)) socket.disconnect();
}
process.exit(failures ? 1 : 0);
