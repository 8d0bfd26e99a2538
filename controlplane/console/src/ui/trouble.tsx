import { problem, type Problem } from "../api/problem";
import { Icon } from "./icons";
import { Button } from "./parts";
import { Said } from "./said";

/** Trouble shows an error: what happened, in the words of who refused, and the next step. */
export function Trouble({ error, retry }: { error: unknown; retry?: () => void }) {
  return <ProblemNote problem={problem(error)} retry={retry} />;
}

export function ProblemNote({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div className="note" data-tone="bad" role="alert">
      <Icon name="warning" />
      <div>
        <p className="note-title">{problem.title}</p>
        {problem.detail && <p><Said text={problem.detail} /></p>}
        <p className="note-next">{problem.next}</p>
      </div>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

/** Note says something that matters beside what is shown. */
export function Note({ tone = "info", title, children }: { tone?: "info" | "warn" | "good"; title: string; children?: React.ReactNode }) {
  return (
    <div className="note" data-tone={tone}>
      <Icon name={tone === "good" ? "check" : "warning"} />
      <div>
        <p className="note-title">{title}</p>
        {children && <div>{children}</div>}
      </div>
    </div>
  );
}
