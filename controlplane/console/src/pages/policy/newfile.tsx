import { useState } from "react";
import { problemWithPath, type Files } from "../../text/bundle";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";

export function NewFile({ files, onCreate, onClose }: { files: Files; onCreate: (path: string) => void; onClose: () => void }) {
  const [path, setPath] = useState("");
  const wrong = path === "" ? undefined : problemWithPath(path, files);
  return (
    <Dialog title="New file" action="Create" blocked={path === "" || wrong !== undefined} onSubmit={() => onCreate(path)} onClose={onClose}>
      <Field label="Name" required value={path} onChange={(e) => setPath(e.target.value)} placeholder="agents.cedar" error={wrong} hint="Policies are in .cedar files, tests in .yaml files." spellCheck={false} autoComplete="off" />
    </Dialog>
  );
}
