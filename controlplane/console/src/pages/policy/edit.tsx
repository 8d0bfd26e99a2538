import { lazy, Suspense, useState } from "react";
import { isChanged, useDraft, type Draft } from "../../draft";
import { useMe } from "../../signedin";
import { paths } from "../../text/bundle";
import type { Spot } from "../../text/diagnostics";
import { Button, Empty } from "../../ui/parts";
import { FileList } from "./files";
import { NewFile } from "./newfile";
import { Push } from "./push";
import { useVerdict } from "./verdict";
import { VerdictPanel } from "./problems";

const Editor = lazy(() => import("./editor"));

/** Edit is the draft in an editor, checked against the control plane as it is written. */
export function Edit({ draft }: { draft: Draft }) {
  const { setDraft } = useDraft();
  const { admin } = useMe();
  const [chosen, setChosen] = useState<string>();
  const [goal, setGoal] = useState<Spot | null>(null);
  const [dialog, setDialog] = useState<"push" | "new" | null>(null);
  const verdict = useVerdict(draft.files);
  const all = paths(draft.files);
  const path = chosen !== undefined && draft.files[chosen] !== undefined ? chosen : all[0];
  const setFiles = (files: Draft["files"]) => setDraft({ ...draft, files });
  const show = (spot: Spot) => (setChosen(spot.file), setGoal({ ...spot }));
  const changed = isChanged(draft);
  return (
    <>
      <div className="bar">
        <span className="soft">{draft.base > 0n ? `From revision ${draft.base}` : "No revision yet: everything is denied"}</span>
        {admin && (
          <div className="actions">
            {changed && <Button onClick={() => setDraft({ ...draft, files: draft.before })}>Discard changes</Button>}
            <Button icon="plus" onClick={() => setDialog("new")}>New file</Button>
            <Button look="primary" disabled={!changed} onClick={() => setDialog("push")}>Push…</Button>
          </div>
        )}
      </div>
      <div className="editor-frame">
        <FileList draft={draft} path={path} spots={verdict.spots} onChoose={setChosen} onRemove={admin ? (gone) => setFiles(without(draft.files, gone)) : undefined} />
        {path === undefined ? (
          <Empty icon="policy" title="The bundle is empty"><p>An empty bundle denies everything. Begin with a file of policies, or with <code>writ policy init</code>.</p></Empty>
        ) : (
          <Suspense fallback={<div className="editor" aria-busy="true" />}>
            <Editor
              path={path} text={draft.files[path]!} readOnly={!admin} spots={verdict.spots.filter((s) => s.file === path)} goal={goal?.file === path ? goal : null}
              onChange={(text) => setFiles({ ...draft.files, [path]: text })}
            />
          </Suspense>
        )}
      </div>
      <VerdictPanel verdict={verdict} onShow={show} />
      {dialog === "push" && <Push draft={draft} verdict={verdict} onClose={() => setDialog(null)} />}
      {dialog === "new" && <NewFile files={draft.files} onClose={() => setDialog(null)} onCreate={(name) => (setFiles({ ...draft.files, [name]: "" }), setChosen(name), setDialog(null))} />}
    </>
  );
}

function without(files: Draft["files"], path: string): Draft["files"] {
  return Object.fromEntries(Object.entries(files).filter(([name]) => name !== path));
}
