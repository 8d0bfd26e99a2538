import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "wouter";
import { useClients } from "../../api/clients";
import { isChanged, useDraft } from "../../draft";
import { changes, decode, type Files } from "../../text/bundle";
import { count } from "../../text/count";
import { Select } from "../../ui/field";
import { Empty, LinkButton, Loading } from "../../ui/parts";
import { Trouble } from "../../ui/trouble";
import { DiffOf } from "./diffview";
import { revisionsKey } from "./key";

/** Compare shows what changes from one revision to another, or to the draft. */
export function Compare() {
  const { policies } = useClients();
  const { draft } = useDraft();
  const [search, setSearch] = useSearchParams();
  const listed = useQuery({ queryKey: revisionsKey, queryFn: () => policies.listRevisions({}) });
  const revisions = [...(listed.data?.revisions ?? [])].sort((a, b) => Number(b.number - a.number));
  const drafted = draft !== null && isChanged(draft);
  const to = search.get("to") ?? (drafted ? "draft" : String(revisions[0]?.number ?? ""));
  const from = search.get("from") ?? String((to === "draft" ? revisions[0] : revisions[1])?.number ?? "");
  const before = useFiles(from);
  const after = useFiles(to);
  if (listed.isPending) return <Loading rows={5} />;
  if (listed.error) return <Trouble error={listed.error} retry={() => void listed.refetch()} />;
  if (revisions.length + (drafted ? 1 : 0) < 2) return <Empty icon="policy" title="There is nothing to compare yet"><p>Once there are two revisions, or a draft, their difference stands here.</p><LinkButton href="/policy">Edit the policy</LinkButton></Empty>;
  const options = revisions.map(({ number, message }): [string, string] => [String(number), `${number}: ${message.slice(0, 60)}`]);
  const set = (name: string) => (e: { target: { value: string } }) => setSearch({ from, to, [name]: e.target.value }, { replace: true });
  return (
    <>
      <div className="bar">
        <Select label="From" value={from} options={options} onChange={set("from")} />
        <Select label="To" value={to} options={drafted ? [["draft", "The draft"], ...options] : options} onChange={set("to")} />
      </div>
      {(before.error ?? after.error) && <Trouble error={before.error ?? after.error} />}
      {before.files && after.files ? <Difference before={before.files} after={after.files} /> : !before.error && !after.error && <Loading rows={8} />}
    </>
  );
}

function Difference({ before, after }: { before: Files; after: Files }) {
  const all = changes(before, after);
  return (
    <>
      {all.length > 0 && <p className="soft">{count(all.length, "file")} changed</p>}
      <DiffOf changes={all} none="They are the same." />
    </>
  );
}

/** useFiles are those of a revision, or of the draft. A revision never changes, so it is asked for once. */
function useFiles(which: string): { files?: Files; error: unknown } {
  const { policies } = useClients();
  const { draft } = useDraft();
  const number = /^\d+$/.test(which) ? BigInt(which) : undefined;
  const pulled = useQuery({
    queryKey: ["policy", "revision", which],
    enabled: number !== undefined,
    staleTime: Infinity,
    queryFn: async () => decode((await policies.pullPolicy({ revision: number! })).bundle?.files ?? {}),
  });
  return which === "draft" ? { files: draft?.files, error: null } : { files: pulled.data, error: pulled.error };
}
