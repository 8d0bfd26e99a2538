import type { Intent } from "../../gen/access/v1/common_pb";
import { Facts } from "../../ui/parts";
import { Said } from "../../ui/said";

/** IntentFacts shows what the principal says it is about to do. It is a claim, and says so. */
export function IntentFacts({ of }: { of: Intent }) {
  const details = Object.entries(of.details).sort(([a], [b]) => (a < b ? -1 : 1));
  const { task, run, commands } = of;
  if (!task && !run && commands.length === 0 && details.length === 0) return null;
  return (
    <details className="intent" open={commands.length === 0 || undefined}>
      <summary>Intent, as the principal states it{task && <>: <Said text={task} /></>}</summary>
      <Facts
        of={[
          // A link of a client is text: nobody is led anywhere by who asks.
          ["Run", run && <Said text={run} />],
          ...details.map(([name, value]): [string, React.ReactNode] => [name, <Said key={name} text={value} />]),
        ]}
      />
      {commands.length > 0 && (
        <ol className="intent-commands">
          {commands.map((command, i) => <li key={i}><code dir="ltr"><Said text={command} /></code></li>)}
        </ol>
      )}
    </details>
  );
}
