import { PrincipalKind, type Principal } from "../gen/access/v1/common_pb";
import { Said } from "./said";

export const kinds: Record<PrincipalKind, string> = {
  [PrincipalKind.UNSPECIFIED]: "unknown",
  [PrincipalKind.PERSON]: "person",
  [PrincipalKind.AGENT]: "agent",
  [PrincipalKind.JOB]: "job",
  [PrincipalKind.SERVICE]: "service",
};

/** Who names a principal, what kind it is, and for whom it acts. */
export function Who({ of, groups }: { of?: Principal; groups?: boolean }) {
  if (!of) return <span className="faint">unknown</span>;
  return (
    <span className="who">
      <span className="who-name"><Said text={of.name} /></span> <span className="who-kind">{kinds[of.kind] ?? "unknown"}</span>
      {of.onBehalfOf.length > 0 && <OnBehalf of={of} />}
      {groups && of.groups.length > 0 && <span className="who-groups">in {of.groups.map((g, i) => <span key={g}>{i > 0 && ", "}<bdi>{g}</bdi></span>)}</span>}
    </span>
  );
}

/** OnBehalf is the delegation chain; it says which of it was proven. */
function OnBehalf({ of }: { of: Principal }) {
  const proven = new Set(of.delegators.map((d) => d.name));
  return (
    <span className="who-for">
      for{" "}
      {of.onBehalfOf.map((name, i) => (
        <span key={name + i}>
          {i > 0 && ", for "}
          <Said text={name} />
          {!proven.has(name) && <span className="faint" title="This identity is claimed by the caller and was not proven"> (claimed)</span>}
        </span>
      ))}
    </span>
  );
}
