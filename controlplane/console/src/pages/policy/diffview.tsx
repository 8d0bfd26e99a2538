import type { Change } from "../../text/bundle";
import { hunks, type Line } from "../../text/diff";
import { count } from "../../text/count";
import { Said } from "../../ui/said";

/** DiffOf shows what changes from one bundle to another, file by file. */
export function DiffOf({ changes, none }: { changes: readonly Change[]; none: string }) {
  if (changes.length === 0) return <p className="soft">{none}</p>;
  return <>{changes.map((change) => <File key={change.path} of={change} />)}</>;
}

function File({ of }: { of: Change }) {
  return (
    <section className="diff">
      <header>
        <h2><Said text={of.path} /></h2>
        <span className="faint">{of.kind}</span>
        <span className="diff-counts"><span className="good">+{of.added}</span> <span className="bad">−{of.removed}</span></span>
      </header>
      <div className="diff-lines" tabIndex={0} role="group" aria-label={`Changes of ${of.path}`}>
        <table>
          <caption className="hidden">Changes of {of.path}</caption>
          <tbody>
            {hunks(of.lines).map((hunk, i) => [
              hunk.skipped > 0 && <tr key={`${i}s`} className="diff-skip"><td colSpan={4}>{count(hunk.skipped, "line")} the same</td></tr>,
              ...hunk.lines.map((line, j) => <Row key={`${i}-${j}`} line={line} />),
            ])}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const signs = { same: " ", add: "+", remove: "−" };
const words = { same: "", add: "added", remove: "removed" };

function Row({ line }: { line: Line }) {
  return (
    <tr data-change={line.change}>
      <td className="diff-number">{line.before}</td>
      <td className="diff-number">{line.after}</td>
      <td className="diff-sign"><span aria-hidden="true">{signs[line.change]}</span><span className="hidden">{words[line.change]}</span></td>
      <td><code dir="ltr"><Said text={line.text} /></code></td>
    </tr>
  );
}
