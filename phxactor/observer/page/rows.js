// The rows of a long list, of which the server sends only those that are looked at.
import { useEffect, useRef, useState } from "preact/hooks";
import { useTopic } from "./topic.js";

const PAUSE = 125; // milliseconds between two views at least
const MOST = 200; // rows that are asked for at once
const EMPTY = { total: null, from: 0, rows: [], held: 0, matches: null };

// `view` is what the panel asks for (search, sort, frozen ...); the rows that are seen are told by `look(from, count)`.
// Returns { total, held, matches, joined, problem, reply, push, at(index), look(from, count) }.
export const useRows = (topic, view, on = {}) => {
  const [answer, setAnswer] = useState(EMPTY);
  const sent = useRef({ number: 0, order: 0, at: 0, timer: null, text: "" });
  const range = useRef({ from: 0, count: 60 });
  const wanted = useRef(view);
  wanted.current = view;

  const take = (rows) => {
    if (rows.view !== undefined && rows.view < sent.current.order) return; // of an order that is no longer wanted
    setAnswer({ ...EMPTY, ...rows });
  };
  const channel = useTopic(topic, { ...on, rows: take }, {
    onJoin: (_, made) => {
      sent.current.text = "";
      tell(made);
    },
  });
  const { send } = channel;

  const tell = (made) => {
    const state = sent.current;
    clearTimeout(state.timer);
    state.timer = null;
    state.at = performance.now();
    state.number += 1;
    const text = JSON.stringify(wanted.current);
    if (text !== state.text) state.order = state.number;
    state.text = text;
    const payload = { ...wanted.current, ...range.current, view: state.number };
    if (made) made.push("view", payload);
    else send("view", payload);
  };
  const tellSoon = () => {
    const state = sent.current;
    if (state.timer !== null) return;
    state.timer = setTimeout(tell, Math.max(0, state.at + PAUSE - performance.now()));
  };

  const text = JSON.stringify(view);
  useEffect(() => {
    if (channel.joined && text !== sent.current.text) tellSoon();
  }, [text, channel.joined]);
  useEffect(() => () => clearTimeout(sent.current.timer), []);

  // Rows first to first + count are seen; as many are asked for above and below, so that scrolling finds them there.
  const look = (first, count) => {
    const from = Math.max(0, first - count);
    const asked = { from, count: Math.min(MOST, count * 3) };
    const { from: has, count: size } = range.current;
    const covered = first >= has && first + count <= has + size;
    const near = Math.abs(from - has) < count / 2 && asked.count <= size;
    if (covered && near) return;
    range.current = asked;
    if (channel.joined) tellSoon();
  };

  const at = (index) => answer.rows[index - answer.from];
  return { ...channel, total: answer.total, held: answer.held, matches: answer.matches, from: answer.from,
    rows: answer.rows, at, look };
};
