import { Fragment } from "react";
import { segments, type Flag, type Segment } from "../text/flags";

/** Said shows one line that a client wrote: isolated from the text around it, with nothing in it left unseen. */
export function Said({ text, className }: { text: string; className?: string }) {
  return <bdi className={className}>{segments(text).map(mark)}</bdi>;
}

/** Statement shows a statement as it is, with what may deceive the eye marked and listed below it. */
export function Statement({ text, flags = [], label = "Statement" }: { text: string; flags?: readonly Flag[]; label?: string }) {
  const parts = segments(text, flags);
  const warnings = distinct(parts);
  return (
    <div className="statement">
      <pre tabIndex={0} role="group" aria-label={label}>
        <code dir="ltr">{parts.map(mark)}</code>
      </pre>
      {warnings.length > 0 && (
        <div className="statement-flags" role="note">
          <strong>
            {warnings.length === 1 ? "A character here" : "Characters here"} may deceive the eye
          </strong>
          <ul>
            {warnings.map((w) => (
              <li key={w.kind + w.detail}>
                <span className="flag-kind">{w.kind}</span> {w.detail}
                {w.count > 1 && ` (${w.count} times)`}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function mark({ shown, flag }: Segment, i: number) {
  if (!flag) return <Fragment key={i}>{shown}</Fragment>;
  return (
    <mark key={i} className="flag" data-kind={flag.kind} title={flag.detail}>
      {shown}
    </mark>
  );
}

function distinct(parts: readonly Segment[]) {
  const found = new Map<string, { kind: string; detail: string; count: number }>();
  for (const { flag } of parts) {
    if (!flag) continue;
    const key = flag.kind + flag.detail;
    found.set(key, { ...flag, count: (found.get(key)?.count ?? 0) + 1 });
  }
  return [...found.values()];
}
