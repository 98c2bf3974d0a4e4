// Whether somebody reads a table at this moment: the pointer is over it, or keys move in it. Then its rows stay in place.
import { useEffect, useRef, useState } from "preact/hooks";

const AFTER_KEY = 20_000; // milliseconds that rows stay in place after a key
const AFTER_TOUCH = 5_000; // and after a finger

// Returns [reading, listeners]: the listeners belong on the table.
export const useReading = () => {
  const [reading, setReading] = useState(false);
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  const forNow = (time) => {
    clearTimeout(timer.current);
    setReading(true);
    timer.current = setTimeout(() => setReading(false), time);
  };
  const stop = () => {
    clearTimeout(timer.current);
    setReading(false);
  };
  return [reading, {
    onPointerEnter: (event) => {
      if (event.pointerType === "touch") return;
      clearTimeout(timer.current);
      setReading(true);
    },
    onPointerLeave: (event) => event.pointerType !== "touch" && stop(),
    onTouchStart: () => forNow(AFTER_TOUCH),
    onTouchMove: () => forNow(AFTER_TOUCH),
    onKeyUp: (event) => event.key !== "Tab" && forNow(AFTER_KEY),
    onFocusOut: (event) => !event.currentTarget.contains(event.relatedTarget) && !event.currentTarget.matches(":hover") && stop(),
  }];
};
