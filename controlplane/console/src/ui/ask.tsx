import { useState, type ReactNode } from "react";
import { useAction } from "../api/action";
import { Dialog } from "./dialog";
import { Area } from "./field";

interface Props<Out> {
  title: string;
  action: string;
  /** label of the text that is asked for; without one, nothing is asked for. */
  label?: string;
  hint?: string;
  required?: boolean;
  danger?: boolean;
  children?: ReactNode;
  run: (text: string) => Promise<Out>;
  done: (out: Out) => string;
  stale: readonly (readonly unknown[])[];
  onClose: () => void;
}

/** Ask confirms an action, mostly with a reason that is recorded. */
export function Ask<Out>({ title, action, label, hint, required, danger = true, children, run, done, stale, onClose }: Props<Out>) {
  const [text, setText] = useState("");
  const act = useAction<Out>({ run: () => run(text.trim()), done, stale, after: onClose });
  const blocked = required && text.trim() === "";
  return (
    <Dialog {...{ title, action, danger, blocked, onClose }} busy={act.isPending} error={act.error} onSubmit={() => act.mutate()}>
      {children}
      {label && <Area label={label} hint={hint} required={required} value={text} maxLength={1000} onChange={(e) => setText(e.target.value)} />}
    </Dialog>
  );
}
