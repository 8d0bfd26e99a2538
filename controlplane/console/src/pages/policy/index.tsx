import { useQuery } from "@tanstack/react-query";
import { Code } from "@connectrpc/connect";
import { useEffect } from "react";
import { Link, useLocation } from "wouter";
import { useClients } from "../../api/clients";
import { problem } from "../../api/problem";
import { isChanged, useDraft } from "../../draft";
import { useMe } from "../../signedin";
import { decode } from "../../text/bundle";
import { Badge, Loading, Page } from "../../ui/parts";
import { Trouble } from "../../ui/trouble";
import { Compare } from "./compare";
import { Edit } from "./edit";
import { History } from "./history";

const tabs = [
  { href: "/policy", name: "Edit" },
  { href: "/policy/diff", name: "Compare" },
  { href: "/policy/history", name: "History" },
];

/** Policy edits, compares and publishes the policies of all edges. */
export function Policy() {
  const [location] = useLocation();
  const { draft } = useDraft();
  const { admin } = useMe();
  return (
    <Page title={<>Policy {draft && isChanged(draft) && <Badge tone="warn">Draft, not pushed</Badge>}</>} lead={admin ? "A bundle becomes a numbered revision, whole or not at all, and every edge enforces it." : "You may read it; administrators change it."}>
      <nav className="tabs" aria-label="Policy">
        {tabs.map(({ href, name }) => <Link key={href} href={href} aria-current={location === href ? "page" : undefined}>{name}</Link>)}
      </nav>
      {location === "/policy" && <Begin />}
      {location === "/policy/diff" && <Compare />}
      {location === "/policy/history" && <History />}
    </Page>
  );
}

/** Begin loads the newest revision into a draft, unless there is one. */
function Begin() {
  const { policies } = useClients();
  const { draft, setDraft } = useDraft();
  const unchanged = !draft || !isChanged(draft);
  const newest = useQuery({
    queryKey: ["policy", "newest"],
    enabled: unchanged,
    refetchInterval: unchanged ? 30_000 : false,
    queryFn: async ({ signal }) => {
      try {
        const { revision, bundle } = await policies.pullPolicy({}, { signal });
        return { base: revision?.number ?? 0n, files: decode(bundle?.files ?? {}) };
      } catch (error) {
        // Before the first push there is nothing to pull, and something to write.
        if (problem(error).code === Code.NotFound) return { base: 0n, files: {} };
        throw error;
      }
    },
  });
  const { data } = newest;
  useEffect(() => {
    if (data && (!draft || (!isChanged(draft) && draft.base < data.base))) setDraft({ base: data.base, before: data.files, files: data.files });
  }, [data, draft, setDraft]);
  if (draft) return <Edit draft={draft} />;
  return newest.error ? <Trouble error={newest.error} retry={() => void newest.refetch()} /> : <Loading rows={9} />;
}
