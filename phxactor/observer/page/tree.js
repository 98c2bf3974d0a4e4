// The panel Tree: all processes below their supervisors, or the heaviest first.
import { useEffect, useState } from "preact/hooks";
import { CrashList } from "./crash_list.js";
import { CrashStory } from "./crash_story.js";
import { title } from "./format.js";
import { Grid } from "./grid.js";
import { html } from "./html.js";
import { announce } from "./live_region.js";
import { note } from "./note.js";
import { useReading } from "./reading.js";
import { go, route } from "./route.js";
import { useRows } from "./rows.js";
import { useStore } from "./store.js";
import { Toolbar, useSearch } from "./toolbar.js";
import { keyOf, rowOf, treeColumns } from "./tree_rows.js";

const DEPTH = 2; // levels that are open at first
const STORIES = 20;

const MOST = 500; // rows that are opened by hand, and closed, at most: the server takes no more

const without = (list, key) => list.filter((one) => one !== key);
const added = (list, ...keys) => [...list.filter((one) => !keys.includes(one)), ...keys].slice(-MOST);

export const Tree = () => {
  const { process, sort = null, find: wanted } = useStore(route);
  const search = useSearch();
  const [shape, setShape] = useState({ open: [], closed: [], depth: DEPTH });
  const [hold, setHold] = useState(false);
  const [reading, listeners] = useReading();
  const [cursor, setCursor] = useState({ index: 0, key: null });
  const [late, setLate] = useState([]);
  const [played, setPlayed] = useState({ story: null, at: null });

  const view = { ...shape, search, sort, frozen: hold || reading };
  const model = useRows("observer:tree", view, {
    crash: (story) => {
      setLate((before) => [...before, story].slice(-STORIES));
      const [, , number, name, , reason] = story.steps[0] ?? [];
      announce(`Crash: ${name ?? `process ${number}`}${reason ? `, ${reason}` : ""}`);
    },
  });
  useEffect(() => setLate([]), [model.reply]); // the answer to a join has them all
  const known = new Set();
  const stories = [...(model.reply?.crashes ?? []), ...late]
    .filter(({ id }) => !known.has(id) && known.add(id)).slice(-STORIES).reverse();

  const isOpen = ({ key, opened }) => (shape.open.includes(key) ? true : shape.closed.includes(key) ? false : opened === 1);
  const toggle = (row) => setShape(({ open, closed, depth }) => (isOpen(row)
    ? { open: without(open, row.key), closed: added(closed, row.key), depth }
    : { open: added(open, row.key), closed: without(closed, row.key), depth }));
  const select = (values) => {
    const row = rowOf(values);
    if (row.number !== null) go({ process: String(row.number) });
    else if (row.children > 0) toggle(row);
  };
  const pressed = (event, values, index, move) => {
    const row = rowOf(values);
    if (event.key === "Escape" && process) go({ process: null });
    else if (event.key === "ArrowRight" && row.children > 0) {
      if (!isOpen(row)) toggle(row);
      else if (row.opened) move(index + 1);
    } else if (event.key === "ArrowLeft" && row.opened && row.children > 0) toggle(row);
    else if (event.key === "ArrowLeft" && row.depth > 0) {
      for (let above = index - 1; above >= 0; above -= 1) {
        const other = model.at(above);
        if (!other) break;
        if (other[1] < row.depth) return move(above), true;
      }
    } else return false;
    return true;
  };
  // Opens the tree down to the first of these processes that there is, and goes there.
  const find = async (...numbers) => {
    go({ sort: null, search: null, find: null }, { replace: true });
    for (const number of numbers) {
      const { path } = await model.push("find", { number });
      if (!path.length) continue;
      setShape(({ open, closed, depth }) => ({ depth, open: added(open, ...path.slice(0, -1)),
        closed: closed.filter((key) => !path.includes(key)) }));
      await new Promise((resolve) => setTimeout(resolve, 400)); // until the view has told of it
      const { index } = await model.push("find", { number });
      if (Number.isInteger(index)) setCursor({ index, key: path.at(-1), reveal: true });
      return;
    }
    note("It is not in the tree any more.");
  };
  useEffect(() => {
    if (wanted && model.joined) find(Number(wanted)).catch(({ message }) => note(message, true));
  }, [wanted, model.joined]);

  const nameOf = (number) => {
    const values = model.rows.find((row) => row[3] === number);
    return values ? title(rowOf(values)) : null;
  };
  const steps = played.story === null ? new Map() : new Map(played.story.steps.slice(0, played.at + 1)
    .map(([, kind, number]) => [`p${number}`, kind]));
  const flat = sort !== null;
  return html`
    <section class="panel tree-panel" aria-label="Tree">
      <${Toolbar} label="Search names, labels, functions" total=${model.matches !== null && search ? model.matches : model.total}
        what=${search ? "match" : "rows"} held=${model.held} hold=${hold} reading=${reading} onHold=${() => setHold(!hold)}>
        <div class="buttons" role="group" aria-label="Levels">
          <button type="button" disabled=${flat} onClick=${() => setShape({ open: [], closed: [], depth: 64 })}>Open all</button>
          <button type="button" disabled=${flat} onClick=${() => setShape({ open: [], closed: [], depth: DEPTH })}>Fold</button>
        </div>
        ${flat && html`<button type="button" onClick=${() => go({ sort: null }, { replace: true })}>Back to the tree</button>`}
      <//>
      <${Grid} id="tree" role=${flat ? "grid" : "treegrid"} label="Processes" model=${model} keyOf=${keyOf}
        columns=${treeColumns({ onToggle: toggle, flat })} sort=${sort} onSort=${(next) => go({ sort: next }, { replace: true })}
        selected=${process ? `p${process}` : null} onOpen=${select} onKey=${pressed} reading=${listeners}
        cursor=${[cursor, setCursor]} empty=${search ? "Nothing has that in its name." : "No process runs."}
        rowProps=${(values) => {
          const row = rowOf(values);
          const step = steps.get(row.key);
          const tree = flat ? {} : { "aria-level": row.depth + 1, "aria-posinset": row.position, "aria-setsize": row.setsize };
          if (row.children > 0 && !flat) tree["aria-expanded"] = row.opened ? "true" : "false";
          return { ...tree, class: `${row.mark ? `marked ${row.mark}` : ""} ${row.status} ${step ? `step ${step}` : ""}` };
        }} />
      <div class="dock">
        <${CrashList} stories=${stories} shown=${played.story?.id} onShow=${(story) => setPlayed({ story, at: story.steps.length - 1 })} />
        ${played.story && html`<${CrashStory} key=${played.story.id} story=${played.story} nameOf=${nameOf} onFind=${find}
          onStep=${(at) => setPlayed({ story: played.story, at })} onClose=${() => setPlayed({ story: null, at: null })} />`}
      </div>
    </section>`;
};
