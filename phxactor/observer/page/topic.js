// A topic of the observer, joined while a component shows it and somebody can see the page.
import { useEffect, useRef, useState } from "preact/hooks";
import { connection, idle, seen, socket, touched } from "./connection.js";
import { useStore } from "./store.js";

const CLOSED = { joined: false, reply: null, problem: null };

// Returns { joined, reply, problem, push, send }. `on` maps events to handlers; `reply` is the payload of the last join.
export const useTopic = (name, on = {}, { onJoin } = {}) => {
  const visible = useStore(seen);
  const asleep = useStore(idle);
  const online = useStore(connection).state === "open";
  const [state, setState] = useState(CLOSED);
  const channel = useRef(null);
  const handlers = useRef(on);
  const joined = useRef(onJoin);
  handlers.current = on;
  joined.current = onJoin;

  useEffect(() => {
    if (!name || !visible || asleep) return undefined;
    const made = socket.channel(name, {});
    channel.current = made;
    const usual = made.onMessage;
    made.onMessage = (event, payload, ref) => {
      handlers.current[event]?.(payload);
      return usual.call(made, event, payload, ref);
    };
    made.on("idle", () => idle.set(true));
    made.onError(() => setState((before) => ({ ...before, joined: false })));
    made.join()
      .receive("ok", (reply) => {
        setState({ joined: true, reply, problem: null });
        joined.current?.(reply, made);
      })
      .receive("error", ({ reason }) => setState({ joined: false, reply: null, problem: reason ?? "refused" }))
      .receive("timeout", () => setState((before) => ({ ...before, problem: "no answer yet" })));
    const stop = touched.follow(() => made.push("here", {}));
    return () => {
      stop();
      if (channel.current === made) channel.current = null;
      made.leave();
      setState((before) => ({ ...before, joined: false }));
    };
  }, [name, visible, asleep]);

  const push = useRef((event, payload = {}) => new Promise((resolve, reject) => {
    if (channel.current === null) reject(new Error("there is no connection"));
    else {
      channel.current.push(event, payload)
        .receive("ok", resolve)
        .receive("error", ({ reason }) => reject(new Error(reason ?? "refused")))
        .receive("timeout", () => reject(new Error("no answer")));
    }
  }));
  const send = useRef((event, payload) => channel.current?.push(event, payload)); // for events without an answer
  return { ...state, joined: state.joined && online, push: push.current, send: send.current };
};
