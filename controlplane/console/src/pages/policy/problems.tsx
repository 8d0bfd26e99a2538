import { count } from "../../text/count";
import type { Spot } from "../../text/diagnostics";
import { Badge } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Trouble } from "../../ui/trouble";
import type { Verdict } from "./verdict";

/** VerdictPanel says whether the draft could be pushed, and what stands in the way; each problem leads to its line. */
export function VerdictPanel({ verdict, onShow }: { verdict: Verdict; onShow: (spot: Spot) => void }) {
  const { spots, tests, checked, ok, error } = verdict;
  const passed = tests.filter((t) => t.passed).length;
  return (
    <section className="verdict" aria-label="Checks">
      <p role="status" className="verdict-line">
        {!checked && !error && <Badge>Checking…</Badge>}
        {checked && (ok ? <Badge tone="good">Valid</Badge> : <Badge tone="bad">{count(spots.length, "problem")}</Badge>)}{" "}
        {checked && <span className="soft">{tests.length === 0 ? "No tests ran" : `${passed} of ${count(tests.length, "test")} passed`}</span>}
      </p>
      {error !== null && error !== undefined && <Trouble error={error} />}
      {spots.length > 0 && (
        <ul className="spots">
          {spots.map((spot, i) => (
            <li key={i}>
              <button type="button" onClick={() => onShow(spot)} disabled={!spot.file}>
                <code>{spot.file}{spot.line > 0 && `:${spot.line}`}{spot.column > 0 && `:${spot.column}`}</code>
                <span><Said text={spot.message} /></span>
                {spot.hint && <span className="faint"><Said text={spot.hint} /></span>}
              </button>
            </li>
          ))}
        </ul>
      )}
      {tests.length > 0 && (
        <details>
          <summary>Tests</summary>
          <ul className="tests">
            {tests.map((test, i) => (
              <li key={i}>
                <Badge tone={test.passed ? "good" : "bad"}>{test.passed ? "passed" : "failed"}</Badge> <Said text={test.name} /> <span className="faint">{test.file}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
