// The buttons of a process. Those that change something are only there if the program allows actions.
import { useState } from "preact/hooks";
import { confirm } from "./confirm.js";
import { time } from "./format.js";
import { html } from "./html.js";
import { attempt } from "./note.js";

export const Actions = ({ name, status, allowed, push }) => {
  if (!allowed) return html`<p class="dim">Actions are off in this program (<code>actions=True</code> turns them on).</p>`;
  const act = (event, payload, done) => attempt(() => push(event, payload), done);
  const after = async (question, verb, event, payload, done) => {
    if (await confirm(question, verb)) await act(event, payload, done);
  };
  const suspended = status === "suspended";
  return html`
    <div class="buttons actions" role="group" aria-label="Actions">
      <button type="button" onClick=${() => act("collect", {}, (answer) => `Garbage collected${
        Number.isFinite(answer?.collected) ? `: ${answer.collected} objects` : ""}.`)}>Collect garbage</button>
      <button type="button" onClick=${() => act("trace", {}, "Tracing for 10 s.")}>Trace 10 s</button>
      <button type="button" disabled=${suspended} onClick=${() => act("suspend", {}, `${name} is suspended.`)}>Suspend</button>
      <button type="button" onClick=${() => act("resume", {}, `${name} goes on.`)}>Resume</button>
      <button type="button" class="danger" onClick=${() => after(`Ask ${name} to shut down? Its links get the exit signal too.`,
        "Shut down", "exit", { reason: "shutdown" }, "The exit signal is sent.")}>Exit</button>
      <button type="button" class="danger" onClick=${() => after(`Kill ${name}? It cannot clean up.`,
        "Kill", "kill", {}, "Killed.")}>Kill</button>
    </div>`;
};

// What the process did while it was traced.
export const Traced = ({ lines }) => lines.length > 0 && html`
  <h3>Trace</h3>
  <ol class="traced" tabindex="0" aria-label="Trace">${lines.map((line, index) => html`<li key=${index}><time>${time(line.at)}</time> <code>${line.text}</code></li>`)}</ol>`;

export const useTraced = () => {
  const [lines, setLines] = useState([]);
  return [lines, (line) => setLines((before) => [...before, line].slice(-200)), () => setLines([])];
};
