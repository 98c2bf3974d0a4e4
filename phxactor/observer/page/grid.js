// A table of any length, of which only the rows that are seen are in the document. By the pattern "treegrid" (or "grid")
// of the ARIA Authoring Practices: one Tab stop, arrow keys move a cursor, Enter opens.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "./html.js";
import { narrow, useStore } from "./store.js";

const HEIGHT = { wide: 30, narrow: 54 }; // pixels of a row
const HEAD = { wide: 32, narrow: 0 };
const MARGIN = 6; // rows drawn above and below those that are seen

const AriaSort = (column, sort) => (column.sort === sort ? (column.up ? "ascending" : "descending") : "none");

const Head = ({ columns, sort, onSort }) => html`
  <div role="rowgroup" class="head">
    <div role="row" aria-rowindex="1" class="row">
      ${columns.map((column) => html`
        <div role="columnheader" class=${`cell ${column.kind ?? ""}`} key=${column.id}
             aria-sort=${column.sort ? AriaSort(column, sort) : undefined}>
          ${column.sort
            ? html`<button type="button" class="sort" title=${`Sort by ${column.title}`}
                           onClick=${() => onSort(column.sort === sort ? null : column.sort)}>
                ${column.title}<span class="arrow" aria-hidden="true">${column.sort === sort ? (column.up ? "▲" : "▼") : ""}</span>
              </button>`
            : html`<span class="plain">${column.title}</span>`}
        </div>`)}
    </div>
  </div>`;

// columns: [{ id, title, sort, kind: "number" | "main" | "hide", cell: (row) => content }]; sort is the server's word.
// keyOf(row) is what a row is known by; rowProps(row) adds attributes such as aria-level.
export const Grid = ({ id, label, role = "grid", columns, model, keyOf, rowProps, sort, onSort, selected, onOpen, onKey,
  empty, reading, cursor: [cursor, setCursor] }) => {
  const size = useStore(narrow) ? "narrow" : "wide";
  const height = HEIGHT[size];
  const headHeight = HEAD[size];
  const box = useRef(null);
  const [top, setTop] = useState(0);
  const [visible, setVisible] = useState(20);
  const frame = useRef(0);
  const total = model.total ?? 0;

  useLayoutEffect(() => {
    const measure = () => setVisible(Math.max(4, Math.ceil((box.current.clientHeight - headHeight) / height)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [height, headHeight]);

  const first = Math.max(0, Math.min(Math.floor(top / height), total - visible));
  useEffect(() => model.look(first, visible + 2), [first, visible]);

  // The cursor stays with its row when the row moves.
  useEffect(() => {
    const place = cursor.key === null ? -1 : model.rows.findIndex((row) => keyOf(row) === cursor.key);
    if (place >= 0) {
      if (place + model.from !== cursor.index) setCursor({ ...cursor, index: place + model.from });
    } else if (cursor.index >= total && total > 0) setCursor({ index: total - 1, key: null });
    else if (cursor.key === null) {
      const row = model.at(cursor.index);
      if (row) setCursor({ index: cursor.index, key: keyOf(row) });
    }
  }, [model.rows, model.from, total, cursor]);

  const reveal = (index) => {
    const place = index * height;
    const room = box.current.clientHeight - headHeight;
    if (place < box.current.scrollTop) box.current.scrollTop = place;
    else if (place + height > box.current.scrollTop + room) box.current.scrollTop = place + height - room;
  };
  const move = (index) => {
    const next = Math.max(0, Math.min(total - 1, index));
    const row = model.at(next);
    setCursor({ index: next, key: row ? keyOf(row) : null });
    reveal(next);
  };
  useEffect(() => {
    if (cursor.reveal) reveal(cursor.index);
  }, [cursor]);

  const scrolled = () => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => box.current && setTop(box.current.scrollTop));
  };
  const pressed = (event) => {
    if (event.target !== box.current || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = model.at(cursor.index);
    const moves = { ArrowDown: cursor.index + 1, ArrowUp: cursor.index - 1, Home: 0, End: total - 1,
      PageDown: cursor.index + visible - 1, PageUp: cursor.index - visible + 1 };
    if (event.key in moves) move(moves[event.key]);
    else if ((event.key === "Enter" || event.key === " ") && row) onOpen(row);
    else if (!(row && onKey?.(event, row, cursor.index, move))) return;
    event.preventDefault();
  };

  const indexes = [];
  const end = Math.min(total, first + visible + MARGIN);
  for (let index = Math.max(0, first - MARGIN); index < end; index += 1) indexes.push(index);
  const rendered = indexes.includes(cursor.index) && model.at(cursor.index) !== undefined;

  const draw = (index) => {
    const row = model.at(index);
    const style = { transform: `translateY(${index * height}px)`, height: `${height}px` };
    if (!row) return html`<div key=${`?${index}`} class="row unknown" role="row" style=${style} aria-rowindex=${index + 2}>
      <div role="gridcell" class="cell main">…</div></div>`;
    const key = keyOf(row);
    const { class: extra = "", ...props } = rowProps?.(row) ?? {};
    const at = index === cursor.index;
    return html`
      <div key=${key} id=${at ? `${id}-cursor` : undefined} role="row" style=${style} aria-rowindex=${index + 2}
           aria-selected=${selected === key ? "true" : "false"} ...${props}
           class=${`row ${extra} ${at ? "cursor" : ""} ${index % 2 ? "odd" : ""}`}
           onClick=${() => { setCursor({ index, key }); onOpen(row); }}>
        ${columns.map((column) => html`
          <div role="gridcell" key=${column.id} class=${`cell ${column.kind ?? ""}`}>${column.cell(row)}</div>`)}
      </div>`;
  };

  return html`
    <div class=${`grid ${id}`} ref=${box} id=${id} role=${role} aria-label=${label} tabindex="0" aria-rowcount=${total + 1}
         aria-colcount=${columns.length} aria-activedescendant=${rendered ? `${id}-cursor` : undefined}
         onScroll=${scrolled} onKeyDown=${pressed} ...${reading}>
      <${Head} columns=${columns} sort=${sort} onSort=${onSort} />
      <div role="rowgroup" class="body" style=${{ height: `${total * height}px` }}>${indexes.map(draw)}</div>
      ${model.total === 0 && html`<p class="empty">${empty}</p>`}
      ${model.total === null && html`<p class="empty">${model.problem ?? "Waiting for the first rows …"}</p>`}
    </div>`;
};
