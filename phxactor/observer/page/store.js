// A value that components follow: each that uses it is drawn again when it changes.
import { useEffect, useReducer } from "preact/hooks";

export const store = (value) => {
  const followers = new Set();
  return {
    get: () => value,
    set: (next) => {
      if (Object.is(next, value)) return;
      value = next;
      for (const follower of [...followers]) follower(value);
    },
    follow: (follower) => {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  };
};

export const useStore = (followed) => {
  const [, draw] = useReducer((count) => count + 1, 0);
  useEffect(() => {
    const before = followed.get();
    const stop = followed.follow(draw);
    if (!Object.is(before, followed.get())) draw();
    return stop;
  }, [followed]);
  return followed.get();
};

// A store that follows a media query, such as the width or the colours that the reader wants.
export const media = (query) => {
  const list = matchMedia(query);
  const followed = store(list.matches);
  list.addEventListener("change", () => followed.set(list.matches));
  return followed;
};

export const narrow = media("(max-width: 700px)");
export const dark = media("(prefers-color-scheme: dark)");
export const still = media("(prefers-reduced-motion: reduce)");
