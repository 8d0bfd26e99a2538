import { useState } from "react";
import { bytes, count } from "../../text/count";
import { notes, readable, typed, type Streams } from "../../text/stream";
import { Button } from "../../ui/parts";
import { Said } from "../../ui/said";
import { segments } from "../../text/flags";
import { Terminal } from "./terminal";

const most = 20_000; // characters of text that are shown at once

/** StreamView is what passed through a command's streams, as far as it was played: before is the first record that was not. */
export function StreamView({ of, before, play }: { of: Streams; before: number; play: (index: number) => void }) {
  const lines = typed(of, before);
  return (
    <div className="streams">
      {of.terminal ? <Terminal of={of} before={before} /> : <Text of={of} before={before} />}
      <div className="streams-foot">
        <Button icon="play" onClick={() => play(of.pieces[0]!.index)}>Play from its start</Button>
        {lines.length > 0 && <Typed lines={lines} />}
        {notes(of).map((note) => <p key={note} className="faint"><Said text={note} /></p>)}
      </div>
    </div>
  );
}

function Typed({ lines }: { lines: readonly string[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? lines : lines.slice(-100);
  return (
    <details className="typed">
      <summary>{count(lines.length, "line")} typed</summary>
      {shown.length < lines.length && <Button onClick={() => setAll(true)}>Show all</Button>}
      <ol>{shown.map((line, i) => <li key={i}><code><Said text={line.replace(/[\r\n]+$/, "")} /></code></li>)}</ol>
    </details>
  );
}

/** Text is a stream without a terminal, with nothing in it left unseen. */
function Text({ of, before }: { of: Streams; before: number }) {
  const { text, cut } = readable(of, before, most);
  return (
    <>
      {cut && <p className="faint">The last {bytes(most)}; the command line shows all: writ sessions replay</p>}
      <pre className="stream-text" tabIndex={0} role="group" aria-label={`What passed in ${of.command}`} dir="ltr">
        {segments(text).map(({ shown, flag }, i) => (flag ? <mark key={i} className="flag" data-kind={flag.kind} title={flag.detail}>{shown}</mark> : shown))}
      </pre>
    </>
  );
}
