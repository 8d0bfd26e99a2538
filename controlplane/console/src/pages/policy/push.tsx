import { Code } from "@connectrpc/connect";
import { useState } from "react";
import { Link } from "wouter";
import { useAction } from "../../api/action";
import { useClients } from "../../api/clients";
import { problem } from "../../api/problem";
import { useDraft, type Draft } from "../../draft";
import { changes, encode } from "../../text/bundle";
import { count } from "../../text/count";
import { Dialog } from "../../ui/dialog";
import { Area } from "../../ui/field";
import { Note } from "../../ui/trouble";
import { DiffOf } from "./diffview";
import type { Verdict } from "./verdict";

/** Push makes the draft the next revision. It shows once more what changes, and is refused when somebody was faster. */
export function Push({ draft, verdict, onClose }: { draft: Draft; verdict: Verdict; onClose: () => void }) {
  const { policies } = useClients();
  const { setDraft } = useDraft();
  const [message, setMessage] = useState("");
  const act = useAction({
    run: async () => {
      const answer = await policies.pushPolicy({ bundle: { files: encode(draft.files) }, message: message.trim(), base: draft.base });
      if (!answer.revision) throw new Error(`the bundle has ${count(answer.problems.length, "problem")} and was not taken`);
      return answer.revision;
    },
    done: (revision) => `Revision ${revision.number} is published. Edges take it now.`,
    stale: [["policy"], ["edges"]],
    after: ({ number }) => {
      setDraft({ base: number, before: draft.files, files: draft.files });
      onClose();
    },
  });
  const overtaken = act.error !== null && problem(act.error).code === Code.Aborted;
  return (
    <Dialog title="Push this draft?" action="Push" busy={act.isPending} blocked={message.trim() === ""} error={act.error} onSubmit={() => act.mutate()} onClose={onClose}>
      {!verdict.ok && <Note tone="warn" title={verdict.checked ? "It has problems and will be refused" : "It is not checked yet"}>{verdict.checked ? "Correct them first; nothing is published in part." : "The control plane checks it before it counts."}</Note>}
      <Area label="Message" required maxLength={500} value={message} onChange={(e) => setMessage(e.target.value)} hint="What changes and why; it stays in the history." />
      <div className="push-diff"><DiffOf changes={changes(draft.before, draft.files)} none="Nothing changes." /></div>
      {overtaken && <p>Somebody pushed in the meantime. <Link href="/policy/diff" onClick={onClose}>Compare your draft with the newest revision</Link>, then discard or redo your change.</p>}
    </Dialog>
  );
}
