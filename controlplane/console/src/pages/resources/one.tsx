import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { useClients } from "../../api/clients";
import { LockTarget } from "../../gen/access/v1/edges_pb";
import type { AwsTarget, KubernetesTarget, PostgresTarget, Resource } from "../../gen/access/v1/resources_pb";
import { useMe } from "../../signedin";
import { Moment } from "../../ui/now";
import { Badge, Button, Card, Facts, LinkButton, Loading, Page, Tags } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Table } from "../../ui/table";
import { Trouble } from "../../ui/trouble";
import { Role } from "../approvals/role";
import { CreateLock } from "../locks/create";
import { accountCredentialOf, clusterCredentialOf, credentialOf, kindOf, labelsOf, tlsOf } from "./target";

/** ResourcePage is one resource: where it is, who serves it, and what in it is sensitive. */
export function ResourcePage({ name }: { name: string }) {
  const { resources } = useClients();
  const { admin } = useMe();
  const [locking, setLocking] = useState(false);
  const asked = useQuery({ queryKey: ["resource", name], queryFn: async () => (await resources.getResource({ name })).resource ?? null });
  return (
    <Page
      title={<Said text={name} />} lead={<Link href="/resources">All resources</Link>}
      actions={
        <>
          <LinkButton href={`/sessions?${new URLSearchParams({ show: "all", resource: name })}`}>Sessions</LinkButton>
          {admin && asked.data && <Button look="danger" icon="locks" onClick={() => setLocking(true)}>Lock…</Button>}
        </>
      }
    >
      {asked.isPending && <Loading rows={4} />}
      {asked.error && <Trouble error={asked.error} retry={() => void asked.refetch()} />}
      {asked.data && <About of={asked.data} />}
      {locking && <CreateLock target={LockTarget.RESOURCE} name={name} onClose={() => setLocking(false)} />}
    </Page>
  );
}

function About({ of }: { of: Resource }) {
  return (
    <>
      <Card>
        <Facts
          of={[
            ["Description", of.description && <Said text={of.description} />],
            ["Kind", kindOf(of)],
            ["Labels", <Tags of={labelsOf(of)} />],
            ["Edges", <EdgesOf of={of} />],
            ["Changed", of.updatedAt && <Moment at={of.updatedAt} />],
            ["Version", String(of.version)],
          ]}
        />
      </Card>
      {of.target.case === "postgres" && <Postgres of={of.target.value} />}
      {of.target.case === "kubernetes" && <Kubernetes of={of.target.value} />}
      {of.target.case === "aws" && <Account of={of.target.value} />}
    </>
  );
}

/** EdgesOf names the edges that serve it, and whether each is there now. */
function EdgesOf({ of }: { of: Resource }) {
  const { edges } = useClients();
  const fleet = useQuery({ queryKey: ["edges"], queryFn: () => edges.listEdges({}), refetchInterval: 15_000 });
  if (of.edges.length === 0) return <span className="bad">none: nobody can reach it</span>;
  const connected = new Map(fleet.data?.edges.map((e) => [e.name, e.connected]));
  return (
    <ul className="cell-lines">
      {of.edges.map((name) => (
        <li key={name}><Said text={name} /> {fleet.data && (connected.get(name) ? <Badge tone="good">Connected</Badge> : <Badge tone="bad">Not connected</Badge>)}</li>
      ))}
    </ul>
  );
}

function Postgres({ of }: { of: PostgresTarget }) {
  const classes = Object.entries(of.classes).map(([name, list]) => ({ name, labelled: list.columns }));
  return (
    <>
      <Card title="Target">
        <Facts
          of={[
            ["Endpoint", <code>{of.endpoint}</code>],
            ["Database", <Said text={of.database} />],
            ["TLS", tlsOf(of.tls?.mode)],
            ["Credential", <Said text={credentialOf(of.credential)} />],
            ["Safe functions", of.safeFunctions.length > 0 && <Tags of={of.safeFunctions} />],
            ["Detectors", <Tags of={of.detectors} none="the default set" />],
          ]}
        />
      </Card>
      <Classes of={classes} what="Columns" none="No column is classified, so no policy on a data class masks anything here." />
    </>
  );
}

function Kubernetes({ of }: { of: KubernetesTarget }) {
  const classes = Object.entries(of.classes).map(([name, list]) => ({ name, labelled: list.fields }));
  return (
    <>
      <Card title="Target">
        <Facts
          of={[
            ["Endpoint", <code>{of.endpoint}</code>],
            ["TLS", tlsOf(of.tls?.mode)],
            ["Credential", <Said text={clusterCredentialOf(of.credential)} />],
            ["Impersonated groups", <Tags of={of.groups} none="those of the principal alone" />],
            ["Detectors", <Tags of={of.detectors} none="the default set" />],
          ]}
        />
      </Card>
      <Classes of={classes} what="Fields" none="Besides the data of Secrets, no field is classified." />
    </>
  );
}

function Account({ of }: { of: AwsTarget }) {
  const classes = Object.entries(of.classes).map(([name, list]) => ({ name, labelled: list.fields }));
  return (
    <>
      <Card title="Target">
        <Facts
          of={[
            ["Account", <code>{of.account}</code>],
            ["Role", <code>{of.roleArn}</code>],
            ["Regions", <Tags of={of.regions} none="all" />],
            ["Endpoint", of.endpoint && <code>{of.endpoint}</code>],
            ["TLS", tlsOf(of.tls?.mode)],
            ["Credential", <Said text={accountCredentialOf(of.credential)} />],
            ["Detectors", <Tags of={of.detectors} none="the default set" />],
          ]}
        />
      </Card>
      {of.role && <Card title="What the role may do"><Role of={of.role} /></Card>}
      <Classes of={classes} what="Members" none="No member of an answer is classified." />
    </>
  );
}

/** Classes are the data classes with what is labelled with each. */
function Classes({ of, what, none }: { of: { name: string; labelled: string[] }[]; what: string; none: string }) {
  const sorted = of.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return (
    <>
      <h2 className="section">Data classes</h2>
      {sorted.length > 0 ? (
        <Table caption="Data classes" rows={sorted} keyOf={(c) => c.name} columns={[{ head: "Class", fit: true, cell: (c) => <Badge tone="info">{c.name}</Badge> }, { head: what, cell: (c) => <Tags of={c.labelled} /> }]} />
      ) : (
        <p className="soft">{none} Add <code>classes</code> to the manifest.</p>
      )}
    </>
  );
}
