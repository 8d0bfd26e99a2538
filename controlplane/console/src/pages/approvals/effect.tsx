import type { Preview } from "../../gen/access/v1/approvals_pb";
import { rows } from "../../text/count";
import { Said, Statement } from "../../ui/said";

/** Effect says what a held command would have done when it was filed, or why nobody knows. */
export function Effect({ of }: { of?: Preview }) {
  if (!of) return null;
  const exact = of.exactRows !== undefined;
  const counted = exact || of.estimatedRows !== undefined;
  const known = counted || of.diff !== "";
  return (
    <div className="effect" role="group" aria-label="Effect" data-known={known || undefined}>
      {counted && (
        <p className="effect-rows">
          <strong>{exact ? rows(Number(of.exactRows)) : `about ${rows(Math.round(of.estimatedRows!))}`}</strong>{" "}
          {exact ? "would change, counted" : "would change, as the target estimates"}
          {exact && of.estimatedRows !== undefined && <span className="faint"> (estimate: {rows(Math.round(of.estimatedRows))})</span>}
        </p>
      )}
      {of.detail && <p className="soft"><Said text={of.detail} /></p>}
      {of.diff && <Statement text={of.diff} label="What would change" />}
      {of.plan && (
        <details>
          <summary>Plan of the target</summary>
          <pre tabIndex={0} role="group" aria-label="Plan of the target"><code dir="ltr"><Said text={of.plan} /></code></pre>
        </details>
      )}
    </div>
  );
}
