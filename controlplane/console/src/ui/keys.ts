import { useEffect, useRef } from "react";

type Keys = Record<string, (event: KeyboardEvent) => void>;

/**
 * useKeys binds single keys, by what they type. They do nothing in a field, in a dialog, or with Ctrl, Alt or Meta. Those
 * bound first are asked before all others; an event whose default they prevent goes no further.
 */
export function useKeys(keys: Keys, first = false) {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || busy(event)) return;
      latest.current[event.key]?.(event);
    };
    window.addEventListener("keydown", listen, first);
    return () => window.removeEventListener("keydown", listen, first);
  }, [first]);
}

function busy(event: KeyboardEvent): boolean {
  if (document.querySelector("dialog[open]")) return true;
  // composedPath reaches into the editor's shadow tree.
  const [target] = event.composedPath();
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
}
