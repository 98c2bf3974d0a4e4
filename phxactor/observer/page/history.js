// The series of the charts: a value for every five seconds, which the values of each second extend.

export const COUNTS = new Set(["crashes", "restarts"]); // these add up; of the others the mean is taken, or the most
const MOST = new Set(["lag", "p99"]);
const POINTS = 720;

// { step, from, series } as the server sends them -> { times, series, open }, all of one length.
export const begin = ({ step, from, series }) => {
  const length = Math.max(0, ...Object.values(series).map((values) => values.length));
  return { step, times: Array.from({ length }, (_, index) => from + index * step), series: { ...series }, parts: {} };
};

// One more second: it opens a new step, or is put into the one that is open.
export const extend = (history, at, values) => {
  const { step } = history;
  const start = Math.floor(at / step) * step;
  const last = history.times.at(-1) ?? -Infinity;
  const fresh = start - last > step * 0.99;
  const times = fresh ? [...history.times, start].slice(-POINTS) : history.times;
  const parts = fresh ? {} : { ...history.parts };
  const series = {};
  for (const [name, old] of Object.entries(history.series)) {
    const value = values[name] ?? null;
    const list = fresh ? [...old, null].slice(-POINTS) : [...old];
    if (value !== null) {
      const { sum, count, most } = parts[name] ?? { sum: 0, count: 0, most: -Infinity };
      const part = { sum: sum + value, count: count + 1, most: Math.max(most, value) };
      parts[name] = part;
      list[list.length - 1] = COUNTS.has(name) ? part.sum : MOST.has(name) ? part.most : part.sum / part.count;
    }
    series[name] = list;
  }
  return { step, times, series, parts };
};

// The last `seconds` of it.
export const tail = (history, seconds) => {
  const points = Math.ceil(seconds / history.step);
  return { times: history.times.slice(-points),
    series: Object.fromEntries(Object.entries(history.series).map(([name, values]) => [name, values.slice(-points)])) };
};

export const figures = (values, times) => {
  let most = null;
  let when = null;
  let sum = 0;
  let now = null;
  values.forEach((value, index) => {
    if (value === null || value === undefined) return;
    now = value;
    sum += value;
    if (most === null || value > most) [most, when] = [value, times[index]];
  });
  return { now, most, when, sum };
};
