import { useState } from "react";
import { Link } from "wouter";
import type { Record as Stored } from "../../gen/access/v1/sessions_pb";
import { nameOf, summary, toneOf, type Rec } from "../../text/record";
import { Moment } from "../../ui/now";
import { Badge, Facts } from "../../ui/parts";
import { Said, Statement } from "../../ui/said";

/** Found is one record: a line, and all of it when opened. */
export function Found({ of, rec }: { of: Stored; rec?: Rec }) {
  const [open, setOpen] = useState(false);
  const shown = rec ?? { kind: of.kind, decision: "", errorCode: "" };
  return (
    <details className="record" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>
        <Moment at={of.time} />
        <span><Badge tone={toneOf(shown)}>{nameOf(shown)}</Badge></span>
        <span className="record-who"><Said text={of.principal} /></span>
        <span className="record-what faint"><Said text={of.resource} /></span>
        <span className="record-said">{rec && <Said text={rec.statement.slice(0, 300) || summary(rec)} />}</span>
      </summary>
      {open && <Whole of={of} rec={rec} />}
    </details>
  );
}

function Whole({ of, rec }: { of: Stored; rec?: Rec }) {
  return (
    <div className="record-whole">
      {rec && summary(rec) && <p><Said text={summary(rec)} /></p>}
      {rec?.statement && <Statement text={rec.statement} />}
      <Facts
        of={[
          ["Session", of.session && <Link href={`/sessions/${of.session}`}><code>{of.session}</code></Link>],
          ["Approval", (rec?.holdId || rec?.requestId) && <Link href={`/approvals/${rec.holdId || rec.requestId}`}><code>{rec.holdId || rec.requestId}</code></Link>],
          ["Policies", rec && rec.policyIds.length > 0 && rec.policyIds.join(", ")],
          ...(rec?.attrs ?? []).map((a): [string, React.ReactNode] => [a.name, <Said key={a.name} text={a.value} />]),
          ["Id", <code>{of.id}</code>],
        ]}
      />
      <details>
        <summary>The whole record</summary>
        <pre className="raw" tabIndex={0} role="group" aria-label="Record as JSON"><code dir="ltr"><Said text={pretty(of.json)} /></code></pre>
      </details>
    </div>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
