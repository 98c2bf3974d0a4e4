// What stands above a table: the search, how many rows there are, and whether they stay in place.
import { useEffect, useRef, useState } from "preact/hooks";
import { count } from "./format.js";
import { html } from "./html.js";
import { go, route } from "./route.js";
import { useStore } from "./store.js";

const PAUSE = 200; // milliseconds after the last letter

export const useSearch = () => useStore(route).search ?? "";

export const Search = ({ label }) => {
  const search = useSearch();
  const [text, setText] = useState(search);
  const timer = useRef(null);
  useEffect(() => setText(search), [search]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const typed = ({ target: { value } }) => {
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => go({ search: value.trim() }, { replace: true }), PAUSE);
  };
  return html`<input type="search" id="search" class="search" value=${text} onInput=${typed} placeholder=${label}
    aria-label=${label} autocomplete="off" spellcheck="false" maxlength="100" />`;
};

// `hold` is the reader's own wish; `reading` is that the pointer or the focus is in the table.
export const Toolbar = ({ label, total, what, held, hold, reading, onHold, children }) => html`
  <div class="toolbar">
    <${Search} label=${label} />
    ${children}
    <span class="grow"></span>
    <span class="count">${total === null ? "" : `${count(total)} ${what}`}</span>
    <button type="button" class=${`hold ${hold || reading ? "on" : ""}`} aria-pressed=${hold ? "true" : "false"} onClick=${onHold}
            title="Rows stay in place while the pointer or the focus is in the table, or while this is on">
      <span aria-hidden="true">${hold || reading ? "❚❚" : "▶"}</span>
      ${hold ? "Held" : reading ? "Holding" : "Live"}${held > 0 ? `, ${count(held)} wait` : ""}
    </button>
  </div>`;
