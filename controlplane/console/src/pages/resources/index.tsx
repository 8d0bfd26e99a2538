import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "wouter";
import { useClients } from "../../api/clients";
import type { Resource } from "../../gen/access/v1/resources_pb";
import { Field } from "../../ui/field";
import { When } from "../../ui/now";
import { Button, Empty, Loading, Page, Tags } from "../../ui/parts";
import { Said } from "../../ui/said";
import { Table, type Column } from "../../ui/table";
import { Trouble } from "../../ui/trouble";
import { kindOf, labelsOf } from "./target";

/** Resources lists the inventory. */
export function Resources() {
  const { resources } = useClients();
  const [search, setSearch] = useSearchParams();
  const query = search.get("query") ?? "";
  const asked = useQuery({ queryKey: ["resources"], queryFn: () => resources.listResources({}), refetchInterval: 60_000 });
  const found = (asked.data?.resources ?? []).filter((r) => matches(r, query));
  return (
    <Page title="Resources" lead="What can be acted on, and through which edges.">
      <div className="bar">
        <Field label="Name or label" type="search" value={query} spellCheck={false} onChange={(e) => setSearch(e.target.value ? { query: e.target.value } : {}, { replace: true })} />
      </div>
      {asked.isPending && <Loading />}
      {asked.error && <Trouble error={asked.error} retry={() => void asked.refetch()} />}
      {found.length > 0 && <Table caption="Resources" columns={columns} rows={found} keyOf={(r) => r.name} />}
      {asked.data && found.length === 0 && query && <Empty icon="resources" title="No resource matches"><Button onClick={() => setSearch({})}>Show all</Button></Empty>}
      {asked.data && found.length === 0 && !query && (
        <Empty icon="resources" title="The inventory is empty"><p>An administrator writes a manifest and applies it: <code>writ resources apply orders-db.yaml</code></p></Empty>
      )}
    </Page>
  );
}

const columns: Column<Resource>[] = [
  { head: "Resource", cell: (r) => <div className="cell-lines"><Link href={`/resources/${r.name}`}><Said text={r.name} /></Link><span className="soft"><Said text={r.description} /></span></div> },
  { head: "Kind", fit: true, cell: kindOf },
  { head: "Labels", cell: (r) => <Tags of={labelsOf(r)} /> },
  { head: "Edges", cell: (r) => <Tags of={r.edges} /> },
  { head: "Changed", fit: true, cell: (r) => <When at={r.updatedAt} /> },
];

function matches(resource: Resource, query: string): boolean {
  const text = [resource.name, resource.description, ...labelsOf(resource), ...resource.edges].join("\n").toLowerCase();
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
