import { count } from "../../text/count";
import { shownValue, type Rec } from "../../text/record";
import { Said } from "../../ui/said";

const most = 50;

/** Rows are the result rows that were recorded, masked as the client saw them. */
export function Rows({ of }: { of: Rec }) {
  const shown = of.rows.slice(0, most);
  return (
    <div className="rows" tabIndex={0} role="group" aria-label="Recorded rows">
      <table>
        <thead><tr>{of.columns.map((name, i) => <th key={i} scope="col"><Said text={name} /></th>)}</tr></thead>
        <tbody>
          {shown.map((row, r) => (
            <tr key={r}>{row.map((value, i) => <td key={i}>{value === null ? <span className="faint">NULL</span> : <Said text={shownValue(value)} />}</td>)}</tr>
          ))}
        </tbody>
      </table>
      {of.rows.length > most && <p className="faint">and {count(of.rows.length - most, "more row")}; the command line shows all: writ sessions replay</p>}
    </div>
  );
}
