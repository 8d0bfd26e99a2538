import { useEffect, useState } from "react";

const pause = 250;

/** useSettled is a value once it has stayed the same for a moment, such as a text that is being typed. */
export function useSettled<T>(value: T, after = pause): T {
  const [settled, setSettled] = useState(value);
  const text = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(JSON.parse(text) as T), after);
    return () => clearTimeout(timer);
  }, [text, after]);
  return settled;
}
