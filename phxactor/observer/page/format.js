// Figures, sizes, durations and times as text. Times are in the reader's zone, and the page says which that is.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const NONE = "–";

export const count = (value) => (value === null || value === undefined ? NONE : whole.format(value));
export const many = (value, one, more = `${one}s`) => `${whole.format(value)} ${value === 1 ? one : more}`;

// A rate has three figures at most, so that a column of them can be compared at a glance.
export const rate = (value) => {
  if (value === null || value === undefined) return NONE;
  return value === 0 ? "0" : value < 0.05 ? "<0.1" : value < 10 ? tenth.format(value) : whole.format(value);
};

export const percent = (share) => (share === null || share === undefined ? NONE : `${rate(share * 100)} %`);

export const bytes = (value) => {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? tenth.format(value) : whole.format(value)} ${units[unit]}`;
};

export const seconds = (value) => {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "0 ms";
  if (value < 0.0009995) return `${value < 1e-5 ? tenth.format(value * 1e6) : whole.format(value * 1e6)} µs`;
  if (value < 1) return `${value < 0.01 ? tenth.format(value * 1000) : whole.format(value * 1000)} ms`;
  return `${tenth.format(value)} s`;
};

export const age = (value) => {
  const past = Math.max(0, Math.floor(value));
  const pairs = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = pairs.findIndex(([, size]) => past >= size);
  if (first < 0) return "0 s";
  const [unit, size] = pairs[first];
  const next = pairs[first + 1];
  const rest = next && next[0] !== "s" ? Math.floor((past % size) / next[1]) : 0;
  return rest ? `${Math.floor(past / size)} ${unit} ${rest} ${next[0]}` : `${Math.floor(past / size)} ${unit}`;
};

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
export const time = (at) => clock.format(at * 1000);
export const fullTime = (at) => full.format(at * 1000);
export const zone = () => {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const minutes = -new Date().getTimezoneOffset();
  const sign = minutes < 0 ? "−" : "+";
  const hours = `${Math.floor(Math.abs(minutes) / 60)}${minutes % 60 ? `:${String(Math.abs(minutes) % 60).padStart(2, "0")}` : ""}`;
  return timeZone === "UTC" ? "UTC" : `${timeZone} (UTC${sign}${hours})`;
};

// What a process is called wherever it is shown: its name, then its label, then what it runs.
export const title = ({ number, name, label, call }) => name ?? label ?? call ?? `process ${number}`;
