// What the whole page needs: what the program is, and its totals. It also sees that the program was started anew.
import { store } from "./store.js";

// { program, node, python, version, pid, started, now, actions, panels } of the last join, or null.
export const program = store(null);
// The last totals: { now, processes, messages, zombies, connections, lag, memory, crashes, restarts, joins }.
export const totals = store(null);
// When the program was seen to have been started anew, in milliseconds; null if it was not.
export const restarted = store(null);

export const introduced = (reply) => {
  const before = program.get();
  if (before !== null && (before.started !== reply.started || before.pid !== reply.pid)) restarted.set(Date.now());
  program.set(reply);
};
