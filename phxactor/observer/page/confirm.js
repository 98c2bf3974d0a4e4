// Asks before something is done that cannot be undone.
import { useEffect, useRef } from "preact/hooks";
import { html } from "./html.js";
import { store, useStore } from "./store.js";

const asked = store(null);

// Resolves to whether the reader agrees.
export const confirm = (question, verb) => new Promise((resolve) => asked.set({ question, verb, resolve }));

export const Confirm = () => {
  const current = useStore(asked);
  const dialog = useRef(null);
  useEffect(() => {
    if (current) dialog.current.showModal();
  }, [current]);
  const answer = (agreed) => {
    current.resolve(agreed);
    dialog.current.close();
    asked.set(null);
  };
  if (!current) return null;
  return html`
    <dialog ref=${dialog} aria-labelledby="question" onCancel=${(event) => { event.preventDefault(); answer(false); }}>
      <p id="question">${current.question}</p>
      <div class="buttons">
        <button type="button" onClick=${() => answer(false)}>Cancel</button>
        <button type="button" class="danger" onClick=${() => answer(true)}>${current.verb}</button>
      </div>
    </dialog>`;
};
