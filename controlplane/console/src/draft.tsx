import { createContext, useContext, useEffect, useState, type ReactNode } from "react";
import type { Files } from "./text/bundle";

/** Draft is a policy that is being written: where it began, and how it is now. It lives as long as the page is open. */
export interface Draft {
  /** base is the revision it began from; 0 when there was none. */
  base: bigint;
  before: Files;
  files: Files;
}

interface Held {
  draft: Draft | null;
  setDraft: (draft: Draft | null) => void;
}

const DraftContext = createContext<Held>({ draft: null, setDraft: () => {} });

export function useDraft(): Held {
  return useContext(DraftContext);
}

export function isChanged({ before, files }: Draft): boolean {
  const paths = new Set([...Object.keys(before), ...Object.keys(files)]);
  return [...paths].some((path) => before[path] !== files[path]);
}

/** HoldDraft keeps the draft while one looks at other pages, and asks before the window is closed over it. */
export function HoldDraft({ children }: { children: ReactNode }) {
  const [draft, setDraft] = useState<Draft | null>(null);
  const changed = draft !== null && isChanged(draft);
  useEffect(() => {
    if (!changed) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [changed]);
  return <DraftContext value={{ draft, setDraft }}>{children}</DraftContext>;
}
