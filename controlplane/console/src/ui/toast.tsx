import { createContext, useCallback, useContext, useState, type ReactNode } from "react";

type Say = (text: string) => void;

const SayContext = createContext<Say>(() => {});

/** useSay tells the outcome of an action in a line that goes away by itself. */
export function useSay(): Say {
  return useContext(SayContext);
}

const shownFor = 6000;

export function Toasts({ children }: { children: ReactNode }) {
  const [lines, setLines] = useState<{ id: number; text: string }[]>([]);
  const say = useCallback((text: string) => {
    const id = Date.now() + Math.random();
    setLines((all) => [...all.slice(-2), { id, text }]);
    setTimeout(() => setLines((all) => all.filter((line) => line.id !== id)), shownFor);
  }, []);
  return (
    <SayContext value={say}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {lines.map((line) => <p key={line.id}>{line.text}</p>)}
      </div>
    </SayContext>
  );
}
