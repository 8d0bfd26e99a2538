import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useClients } from "../../api/clients";
import type { Approval } from "../../gen/access/v1/approvals_pb";
import { usePut } from "../../inbox";
import { matter } from "../../text/approval";
import { segments } from "../../text/flags";
import { Dialog } from "../../ui/dialog";
import { Area, Check } from "../../ui/field";
import { Facts } from "../../ui/parts";
import { Said, Statement } from "../../ui/said";
import { useSay } from "../../ui/toast";
import { Note } from "../../ui/trouble";
import { Who } from "../../ui/who";

export type Verdict = "approve" | "deny";

interface Props {
  /** shown is the approval as it was when the person chose to decide; its digest is what the vote is for. */
  shown: Approval;
  /** now is the same approval as the control plane tells it now. */
  now?: Approval;
  verdict: Verdict;
  onClose: () => void;
}

/** Decide asks once more and casts the vote, for exactly the digest that was shown. */
export function Decide({ shown, now, verdict, onClose }: Props) {
  const { approvals } = useClients();
  const put = usePut();
  const say = useSay();
  const [comment, setComment] = useState("");
  const [read, setRead] = useState(false);
  const about = matter(shown)!;
  const cast = useMutation({
    mutationFn: async () => {
      const vote = { id: about.id, digest: about.digest, comment: comment.trim() };
      return verdict === "approve" ? (await approvals.approve(vote)).approval : (await approvals.deny(vote)).approval;
    },
    onSuccess: (approval) => {
      put(approval);
      say(outcome(verdict, approval));
      onClose();
    },
  });
  const current = now && matter(now);
  const changed = current !== undefined && current.digest !== about.digest;
  const over = current !== undefined && !current.status.pending;
  const deceptive = verdict === "approve" && flagged(shown);
  return (
    <Dialog
      title={verdict === "approve" ? "Approve this?" : "Deny this?"} action={verdict === "approve" ? "Approve" : "Deny"} danger={verdict === "deny"}
      busy={cast.isPending} blocked={changed || over || (deceptive && !read)} error={cast.error} onSubmit={() => cast.mutate()} onClose={onClose}
    >
      <p className="decide-what">
        <Who of={about.principal} /> {about.kind === "command" ? "runs on" : "gets access to"} <strong><Said text={about.resource} /></strong>
      </p>
      {shown.subject.case === "command" && <Statement text={shown.subject.value.statement} flags={shown.subject.value.flags.filter((f) => f.param === 0)} />}
      {deceptive && <Check label="I have looked at the marked characters" checked={read} onChange={setRead} />}
      <Area label={verdict === "deny" ? "Why (the principal reads it)" : "Comment (optional)"} value={comment} maxLength={1000} onChange={(e) => setComment(e.target.value)} />
      <Facts of={[["Digest", <code key="d" className="digest" title={about.digest}>{about.digest.slice(0, 16)}…</code>]]} />
      {changed && <Note tone="warn" title="It has changed since it was shown">Close this and look at it again.</Note>}
      {over && !cast.isPending && <Note tone="warn" title={`It is decided: ${current.status.label.toLowerCase()}`}>Nothing is left to do.</Note>}
    </Dialog>
  );
}

function flagged({ subject }: Approval): boolean {
  if (subject.case !== "command") return false;
  const { statement, params, flags } = subject.value;
  return flags.length > 0 || [statement, ...params].some((text) => segments(text).some((part) => part.flag));
}

function outcome(verdict: Verdict, approval?: Approval): string {
  const about = approval && matter(approval);
  if (verdict === "deny") return "Denied. Nothing of it will run.";
  return about?.status.pending ? "Your vote counts. More approvals are needed." : "Approved.";
}
