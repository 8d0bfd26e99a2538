import { Button } from "./parts";
import { useSay } from "./toast";

/** Copy shows a line to be used elsewhere, with a button that copies it. */
export function Copy({ text, secret }: { text: string; secret?: boolean }) {
  const say = useSay();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied.");
    } catch {
      say("The browser does not let this page copy. Select the text.");
    }
  };
  return (
    <div className="copy">
      <code dir="ltr" data-secret={secret || undefined}>{text}</code>
      <Button icon="copy" onClick={() => void copy()}>Copy</Button>
    </div>
  );
}
