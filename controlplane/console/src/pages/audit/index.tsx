import { useEffect, useMemo, useState } from "react";
import { useSearchParams } from "wouter";
import { useClients } from "../../api/clients";
import { usePaged, type Paged } from "../../api/paged";
import { kinds, nameOf, parseRecord } from "../../text/record";
import { Check, Field, Select } from "../../ui/field";
import { More } from "../../ui/listing";
import { Moment } from "../../ui/now";
import { Button, Empty, Loading, Page } from "../../ui/parts";
import { useSettled } from "../../ui/settled";
import { Trouble } from "../../ui/trouble";
import { backs, fromSearch, message, toSearch, type Filter } from "./filter";
import { Found } from "./record";

const pageSize = 100;

/** Audit searches the records of sessions and of people's calls, newest first. The address of the page is the search. */
export function Audit() {
  const { audit } = useClients();
  const [search, setSearch] = useSearchParams();
  const filter = fromSearch(search);
  const settled = useSettled(filter);
  const [asOf, setAsOf] = useState(() => Date.now());
  const set = (part: Partial<Filter>) => (setSearch(toSearch({ ...filter, ...part }), { replace: true }), setAsOf(Date.now()));
  const paged = usePaged({
    key: ["records", settled, asOf],
    load: (pageToken, signal) => audit.searchRecords({ ...message(settled, asOf), pageSize, pageToken }, { signal, timeoutMs: 60_000 }),
    rows: (answer) => answer.records,
  });
  const records = useMemo(() => paged.rows.map((stored) => ({ stored, rec: parseRecord(stored.json) })), [paged.rows]);
  useEnough(records.length, paged);
  return (
    <Page title="Audit" lead="Every decision, call and change, newest first." actions={<Button onClick={() => setAsOf(Date.now())}>Search again</Button>}>
      <Filters of={filter} set={set} />
      {paged.pending && <Loading rows={10} label="Searching" />}
      {paged.error !== null && <Trouble error={paged.error} retry={paged.again} />}
      {records.length > 0 && <ol className="records">{records.map(({ stored, rec }) => <li key={stored.id + stored.session}><Found of={stored} rec={rec} /></li>)}</ol>}
      {!paged.pending && paged.error === null && records.length === 0 && !paged.more && (
        <Empty icon="audit" title="No record matches"><p>Look further back, or leave out a filter.</p><Button onClick={() => setSearch({})}>Clear the filters</Button></Empty>
      )}
      {!paged.pending && (
        <More of={paged}>
          {paged.last?.searchedBackTo && <span>Searched back to <Moment at={paged.last.searchedBackTo} /></span>}
        </More>
      )}
    </Page>
  );
}

const enough = 30;
const mostPages = 10;

/** useEnough loads further pages by itself while hardly anything of them is shown, up to a bound. */
function useEnough(shown: number, { pages, more }: Pick<Paged<unknown, unknown>, "pages" | "more">) {
  useEffect(() => {
    if (shown < enough && pages > 0 && pages < mostPages) more?.();
  }, [shown, pages, more]);
}

const anyKind: [string, string][] = [["", "Any kind"], ...kinds.map((kind): [string, string] => [kind, nameOf({ kind, errorCode: "" })])];
const anyDecision: [string, string][] = [["", "Any decision"], ["allow", "Allow"], ["deny", "Deny"], ["hold", "Hold"]];

function Filters({ of, set }: { of: Filter; set: (part: Partial<Filter>) => void }) {
  const text = (label: string, name: keyof Filter) => <Field label={label} type="search" spellCheck={false} value={of[name]} onChange={(e) => set({ [name]: e.target.value })} />;
  return (
    <form role="search" aria-label="Records" className="filters" onSubmit={(e) => e.preventDefault()}>
      {text("Text in statements", "text")}
      {text("Principal", "principal")}
      {text("Resource", "resource")}
      {text("Policy", "policy")}
      {text("Table or object", "table")}
      {text("Action", "action")}
      {text("Session", "session")}
      <Select label="Kind" options={anyKind} value={of.kind} onChange={(e) => set({ kind: e.target.value })} />
      <Select label="Decision" options={anyDecision} value={of.decision} onChange={(e) => set({ decision: e.target.value })} />
      <Select label="When" options={backs} value={of.back} onChange={(e) => set({ back: e.target.value })} />
      <Check label="Show reads" checked={of.reads === "show"} onChange={(on) => set({ reads: on ? "show" : "" })} />
      {of.back === "custom" && (
        <>
          <Field label="From" type="datetime-local" value={of.from} onChange={(e) => set({ from: e.target.value })} />
          <Field label="Until" type="datetime-local" value={of.until} onChange={(e) => set({ until: e.target.value })} />
        </>
      )}
    </form>
  );
}
