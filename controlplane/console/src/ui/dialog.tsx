import { useEffect, useId, useRef, type ReactNode, type SubmitEvent } from "react";
import { Trouble } from "./trouble";
import { Button } from "./parts";

interface Props {
  title: ReactNode;
  children: ReactNode;
  /** action is the label of the button that does it. */
  action: string;
  danger?: boolean;
  busy?: boolean;
  blocked?: boolean;
  error?: unknown;
  /** remedy is shown below an error. */
  remedy?: ReactNode;
  onSubmit: () => void;
  onClose: () => void;
}

/** Dialog asks before something is done. It is open while it is mounted; Escape closes it. */
export function Dialog({ title, children, action, danger, busy, blocked, error, remedy, onSubmit, onClose }: Props) {
  const failed = error !== undefined && error !== null;
  const foot = useRef<HTMLElement>(null);
  useEffect(() => {
    if (failed) foot.current?.scrollIntoView({ block: "nearest" });
  }, [failed]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!busy && !blocked) onSubmit();
  };
  return (
    <Modal title={title} onClose={onClose}>
      <form onSubmit={submit} onKeyDown={(e) => e.key === "Enter" && (e.ctrlKey || e.metaKey) && e.currentTarget.requestSubmit()}>
        <div className="dialog-body">
          {children}
          {failed && <Trouble error={error} />}
          {remedy}
        </div>
        <footer ref={foot} className="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look={danger ? "danger" : "primary"} busy={busy} disabled={blocked}>
            {action}
          </Button>
        </footer>
      </form>
    </Modal>
  );
}

/** Modal is the frame of a dialog; what it covers cannot be reached while it is open. The first field has the focus. */
export function Modal({ title, children, onClose, wide }: { title: ReactNode; children: ReactNode; onClose: () => void; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = ref.current!;
    const before = document.activeElement;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("textarea, select, input:not([type=checkbox], [readonly])")?.focus();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={ref} className="dialog" data-wide={wide || undefined} aria-labelledby={heading} onCancel={(e) => (e.preventDefault(), onClose())}>
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}
