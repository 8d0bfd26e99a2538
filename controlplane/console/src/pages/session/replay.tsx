import { useMemo } from "react";
import type { Session } from "../../gen/access/v1/sessions_pb";
import { count } from "../../text/count";
import { events, until } from "../../text/events";
import { track } from "../../text/playback";
import { streamsOf } from "../../text/stream";
import { Button, Empty, Loading } from "../../ui/parts";
import { Note, Trouble } from "../../ui/trouble";
import { useKeys } from "../../ui/keys";
import { EventList } from "./events";
import { usePlayer } from "./player";
import { useRecording } from "./recording";
import { Timeline } from "./timeline";

/** Replay shows a session's recording, whole or at the pace of the session, and follows it while it lives. */
export function Replay({ session }: { session: Session }) {
  const recording = useRecording(session.id, session.live);
  const { records, state } = recording;
  const laid = useMemo(() => track(records.map((r) => r.time)), [records]);
  const all = useMemo(() => events(records), [records]);
  const streams = useMemo(() => streamsOf(records), [records]);
  const player = usePlayer(laid);
  useKeys({ " ": (event) => (event.target instanceof HTMLButtonElement || (event.preventDefault(), player.toggle())) });
  const shown = player.atEnd ? all : until(all, player.shown);
  return (
    <section aria-label="Replay">
      {state === "failed" && <Trouble error={recording.error} retry={recording.again} />}
      {recording.unreadable > 0 && <Note tone="warn" title={`${count(recording.unreadable, "record")} could not be read`}>The console is older than the control plane. The command line shows them.</Note>}
      {records.length === 0 && (state === "loading" || state === "following") && <Loading rows={6} label="Loading the recording" />}
      {records.length === 0 && state === "complete" && <Empty icon="sessions" title="Nothing is recorded yet">Records arrive as the edge delivers them, mostly within a second.</Empty>}
      {records.length > 0 && (
        <>
          <Timeline {...{ records, player }} track={laid} following={session.live && state === "following"} />
          <EventList {...{ streams }} events={shown} start={records[0]!.time} before={player.shown} play={player.playFrom} protocol={session.protocol} />
          {!player.atEnd && <div className="more"><Button onClick={() => player.seek(Infinity)}>Show all</Button></div>}
        </>
      )}
    </section>
  );
}
