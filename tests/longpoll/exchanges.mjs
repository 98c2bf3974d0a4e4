// phoenix.js polls the workers of a zoo, each request by a connection of its own, so that it lands on any of them:
//   node exchanges.mjs NODE_MODULES phoenix-1.8.16 ZOO NUMBER
// It exchanges so many messages, has the worker of its session killed, and goes on. The output is a line of JSON.

import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, version, zoo, number] = process.argv.slice(2);
const PATIENCE = 60_000;
const statuses = {};

/** Enough of fetch for phoenix.js, without a connection that is kept. */
globalThis.fetch = (url, { method, headers, body, signal } = {}) =>
  new Promise((resolve, reject) => {
    const agent = new http.Agent({ keepAlive: false });
    const request = http.request(url, { method, headers, signal, agent }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(parts).toString();
        const status = /^\{"status":(\d+)/.exec(text)?.[1];
        if (status) statuses[status] = (statuses[status] ?? 0) + 1;
        resolve({ ok: true, status: response.statusCode, text: async () => text, json: async () => JSON.parse(text) });
      });
    });
    request.on("error", reject);
    request.end(body);
  });

const { Socket, LongPoll } = await import(pathToFileURL(path.join(modules, version, "priv/static/phoenix.mjs")).href);
const soon = (promise, what) =>
  Promise.race([promise, new Promise((_, no) => setTimeout(() => no(new Error(`${what}: never`)), PATIENCE).unref())]);
const answer = (push) =>
  soon(
    new Promise((resolve) => {
      for (const status of ["ok", "error", "timeout"]) push.receive(status, (response) => resolve([status, response]));
    }),
    "an answer",
  );

const socket = new Socket(zoo + "/socket", {
  transport: LongPoll,
  timeout: PATIENCE,
  reconnectAfterMs: () => 50,
  rejoinAfterMs: () => 50,
});
socket.connect();
const where = socket.channel("bench:where");
const channel = socket.channel("room:exchanges");
const pushed = [];
channel.on("pushed", ({ n }) => pushed.push(n));
for (const one of [where, channel]) await answer(one.join());
const pid = async () => (await answer(where.push("where", {})))[1].os_pid;

/** Send in bursts, and give back what came. */
async function exchange(from, to) {
  const replies = [];
  for (let n = from; n < to; ) {
    const burst = [];
    for (const end = Math.min(to, n + 1 + (n % 7)); n < end; n += 1) {
      const payload = { n, text: "x".repeat(n % 50 === 0 ? 50_000 : 10) };
      burst.push(answer(channel.push("push_then_reply", payload)).then(([status, { n }]) => replies.push([status, n])));
    }
    await Promise.all(burst);
  }
  return replies;
}

const served = new Set();
for (let n = 0; n < 200 && served.size < 2; n += 1) served.add((await (await fetch(zoo + "/admin/stats")).json()).os_pid);
const replies = await exchange(0, Number(number));
const first = await pid();
const rejoined = new Promise((resolve) => {
  const timer = setInterval(() => {
    if (where.state === "joined" && channel.state === "joined" && errors > 0) resolve(clearInterval(timer));
  }, 10);
});
let errors = 0;
channel.onError(() => (errors += 1));
process.kill(first, "SIGKILL");
await soon(rejoined, "the join after the kill");
const before = pushed.length;
const later = await exchange(Number(number), Number(number) + 50);
const second = await pid();
console.log(JSON.stringify({ replies, later, pushed, before, errors, statuses, moved: first !== second, served: served.size }));
process.exit(0);
