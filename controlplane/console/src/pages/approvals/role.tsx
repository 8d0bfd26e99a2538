import { useQuery } from "@tanstack/react-query";
import { useClients } from "../../api/clients";
import type { RoleAnalysis, RoleStatement } from "../../gen/access/v1/resources_pb";
import { titleOf, verdictOf } from "../../text/role";
import { Badge, Facts, Loading, Tags } from "../../ui/parts";
import { Said, Statement } from "../../ui/said";

/** AskedRole shows the role that a request is for, with the statements of exactly the analysis that its digest covers. */
export function AskedRole({ of, request }: { of: RoleAnalysis; request: string }) {
  const { approvals } = useClients();
  const wanted = of.known && of.privileged && of.statements.length === 0;
  const asked = useQuery({
    queryKey: ["role", of.digest],
    queryFn: async () => {
      const { subject } = (await approvals.getApproval({ id: request })).approval ?? {};
      return subject?.case === "request" && subject.value.role?.digest === of.digest ? subject.value.role : null;
    },
    enabled: wanted,
  });
  return (
    <>
      <Role of={asked.data ?? of} />
      {wanted && asked.isPending && <Loading rows={2} label="Loading the role’s statements" />}
      {wanted && !asked.isPending && !asked.data && <p className="cannot">The statements cannot be shown now.</p>}
    </>
  );
}

/** Role shows what makes a role privileged, statement by statement as they stand in their documents. */
export function Role({ of }: { of: RoleAnalysis }) {
  const { text, tone } = verdictOf(of);
  const documents = of.policies.map(({ use, arn, name, version }) => [use, arn || name, version].filter(Boolean).join(" "));
  return (
    <section className="role" aria-label="Role">
      <Facts
        of={[
          ["Role", <><code>{of.roleArn}</code> <Badge tone={tone}>{text}</Badge></>],
          ["Policies read", documents.length > 0 && <Tags of={documents} />],
          ["Boundary", documents.length > 0 && (of.boundary ? <code>{of.boundary}</code> : "none")],
        ]}
      />
      {of.statements.map((s, i) => <Reason key={i} of={s} />)}
    </section>
  );
}

function Reason({ of }: { of: RoleStatement }) {
  return (
    <details className="intent" open>
      <summary><Said text={titleOf(of)} /></summary>
      <Facts of={of.actions.map((a): [string, React.ReactNode] => [a.meaning, <Actions key={a.class} of={a.actions} />])} />
      <Statement text={of.text} label="Statement of the policy" />
    </details>
  );
}

const shownAtOnce = 12;

function Actions({ of }: { of: readonly string[] }) {
  if (of.length <= shownAtOnce) return <Tags of={of} />;
  return (
    <details>
      <summary>{of.slice(0, 3).join(", ")} and {of.length - 3} more</summary>
      <Tags of={of} />
    </details>
  );
}
