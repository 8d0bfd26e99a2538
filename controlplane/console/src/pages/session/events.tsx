import { useState } from "react";
import { Link } from "wouter";
import { count } from "../../text/count";
import type { Event } from "../../text/events";
import type { Streams } from "../../text/stream";
import { nameOf, shownValue, summary, toneOf, type Rec } from "../../text/record";
import { offset, stamp } from "../../text/time";
import { Badge, Button, Facts } from "../../ui/parts";
import { Said, Statement } from "../../ui/said";
import { Rows } from "./rows";
import { StreamView } from "./streams";

/** drawn is how many events are shown at once; earlier ones are a button away. */
const drawn = 500;

interface Played {
  start: number;
  /** streams by command, of which what comes before a record was played. */
  streams: ReadonlyMap<string, Streams>;
  before: number;
  /** play begins at a record. */
  play: (index: number) => void;
  protocol: string;
}

/** EventList is a recording as text: commands with decision, rows, streams and outcome, and what else happened. */
export function EventList({ events, ...played }: { events: readonly Event[] } & Played) {
  const [most, setMost] = useState(drawn);
  const left = Math.max(0, events.length - most);
  return (
    <>
      {left > 0 && <div className="more"><Button onClick={() => setMost(most + drawn * 4)}>Show {count(Math.min(left, drawn * 4), "earlier event")}</Button></div>}
      <ol className="events">
        {events.slice(left).map((event) => <li key={event.key}><One event={event} {...played} /></li>)}
      </ol>
    </>
  );
}

function One({ event: { head, rest }, start, streams, before, play, protocol }: { event: Event } & Played) {
  const passed = streams.get(head.command);
  return (
    <article className="event" data-tone={worst([head, ...rest.map(({ rec }) => rec)])}>
      <time className="event-at" dateTime={new Date(head.time).toISOString()} title={stamp(new Date(head.time))}>{offset(head.time - start)}</time>
      <div className="event-body">
        <Line rec={head} />
        {head.statement && <Statement text={head.statement} />}
        {head.kind !== "stream" && <Params of={head} protocol={protocol} />}
        {head.kind !== "stream" && <Attrs of={head} />}
        {passed && passed.pieces[0]!.index < before && <StreamView of={passed} before={before} play={play} />}
        {rest.map(({ rec, index }) => <div key={index}><Line rec={rec} />{rec.rows.length > 0 && <Rows of={rec} />}<Attrs of={rec} /></div>)}
        {head.rows.length > 0 && <Rows of={head} />}
        {head.trimmed && <p className="faint">Cut to fit the record.</p>}
      </div>
    </article>
  );
}

/** Params are a statement's parameters; a request to an API server has one, its body. */
function Params({ of: { params }, protocol }: { of: Rec; protocol: string }) {
  if (params.length === 0) return null;
  if (protocol === "aws") return <Facts of={params.map((value, i) => [`${i + 1}`, <code key={i}><Said text={shownValue(value)} /></code>])} />;
  if (protocol !== "kubernetes") return <Facts of={params.map((value, i) => [`$${i + 1}`, <code key={i}><Said text={shownValue(value)} /></code>])} />;
  return <details className="body"><summary>Body</summary>{params.map((value, i) => <Statement key={i} text={shownValue(value)} label="Body" />)}</details>;
}

function Attrs({ of: { attrs } }: { of: Rec }) {
  return attrs.length > 0 && <Facts of={attrs.map((a) => [a.name, <Said key={a.name} text={a.value} />])} />;
}

function Line({ rec }: { rec: Rec }) {
  return (
    <p className="event-line">
      <Badge tone={toneOf(rec)}>{nameOf(rec)}</Badge> <Said text={summary(rec)} />
      {rec.holdId && <> <Link href={`/approvals/${rec.holdId}`}><code>{rec.holdId}</code></Link></>}
      {rec.maskedColumns.length > 0 && rec.kind === "outcome" && <span className="faint"> masked {rec.maskedColumns.join(", ")}</span>}
    </p>
  );
}

function worst(records: readonly Rec[]): string {
  const tones = records.map(toneOf);
  return tones.find((t) => t === "bad") ?? tones.find((t) => t === "warn") ?? tones[0] ?? "neutral";
}
