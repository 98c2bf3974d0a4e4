// What is shown stands in the address: #/tree?process=12&search=room. So a reload, a restart of the program, and a link
// show the same. A token, #token=T, is taken out of the address at once, and kept for this tab.
import { store } from "./store.js";

const TOKEN = "phxactor observer token";

const parse = () => {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { panel: path || "tree", ...Object.fromEntries(new URLSearchParams(query ?? "")) };
};

const written = ({ panel, ...rest }) => {
  const query = new URLSearchParams(Object.entries(rest).filter(([, value]) => value !== null && value !== ""));
  return `#/${panel}${query.size ? `?${query}` : ""}`;
};

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given !== null) {
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname);
}

export const token = () => sessionStorage.getItem(TOKEN);
export const setToken = (value) => sessionStorage.setItem(TOKEN, value);

export const route = store(parse());
const follow = () => route.set(parse());
addEventListener("hashchange", follow);
addEventListener("popstate", follow);

// Another panel or another selection is a step that the browser's Back undoes; a word typed into the search is not.
export const go = (change, { replace = false } = {}) => {
  const next = { ...route.get(), ...change };
  const address = written(next);
  if (address === written(route.get())) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  route.set(parse());
};

export const address = (change) => written({ ...route.get(), ...change });
