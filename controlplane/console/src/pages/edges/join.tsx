import { useState } from "react";
import { useAction } from "../../api/action";
import { useClients } from "../../api/clients";
import type { CreateJoinTokenResponse } from "../../gen/access/v1/edges_pb";
import { Copy } from "../../ui/copy";
import { Dialog, Modal } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Moment } from "../../ui/now";
import { Button } from "../../ui/parts";

/** Join makes a one-time token with which one edge enrols, and shows it once. */
export function Join({ onClose }: { onClose: () => void }) {
  const { edges } = useClients();
  const [edge, setEdge] = useState("");
  const [names, setNames] = useState("");
  const act = useAction({
    run: () => edges.createJoinToken({ edge: edge.trim(), names: names.split(/[\s,]+/).filter((name) => name !== "") }),
    done: () => "The join token is made.",
    stale: [["edges"]],
  });
  if (act.data) return <Made of={act.data} onClose={onClose} />;
  return (
    <Dialog title="Add an edge" action="Make a join token" busy={act.isPending} blocked={edge.trim() === ""} error={act.error} onSubmit={() => act.mutate()} onClose={onClose}>
      <Field label="Name" required value={edge} onChange={(e) => setEdge(e.target.value)} placeholder="edge-eu-1" spellCheck={false} autoComplete="off" />
      <Field label="Addresses" value={names} onChange={(e) => setNames(e.target.value)} placeholder="edge.example.internal 10.0.0.5" spellCheck={false} hint="DNS names and IP addresses at which clients reach it." />
    </Dialog>
  );
}

function Made({ of, onClose }: { of: CreateJoinTokenResponse; onClose: () => void }) {
  return (
    <Modal title="Start the edge with this" onClose={onClose}>
      <div className="dialog-body">
        <p>The token is shown once and works once, until <Moment at={of.expiresAt} />. Settings of the edge, beside its own:</p>
        <Copy text={`WRIT_EDGE_JOIN_TOKEN=${of.token}`} secret />
        <Copy text={`--control-plane ${of.address} --pin ${of.pin}`} />
      </div>
      <footer className="dialog-foot"><Button look="primary" onClick={onClose}>Done</Button></footer>
    </Modal>
  );
}
