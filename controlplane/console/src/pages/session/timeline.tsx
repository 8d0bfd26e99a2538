import { marks, type Track } from "../../text/playback";
import { nameOf, toneOf, type Rec } from "../../text/record";
import { count } from "../../text/count";
import { offset } from "../../text/time";
import type { Tone } from "../../text/tone";
import { Icon } from "../../ui/icons";
import { speeds, type Player } from "./player";

const ranks: Record<Tone, number> = { neutral: 0, info: 1, good: 2, warn: 3, bad: 4 };
const bins = 240;

/** Timeline is where a replay is, what lies where, and its buttons. */
export function Timeline({ records, track, player, following }: { records: readonly Rec[]; track: Track; player: Player; following: boolean }) {
  const at = records[Math.max(0, player.shown - 1)];
  const said = at ? `${offset(at.time - records[0]!.time)}, ${nameOf(at)}` : "the start";
  return (
    <div className="player">
      <div className="player-buttons">
        <button type="button" className="button" onClick={() => player.step(-1)} title="Previous record"><Icon name="back" /><span className="hidden">Previous record</span></button>
        <button type="button" className="button" data-look="primary" onClick={player.toggle} title="Space">
          <Icon name={player.playing ? "pause" : "play"} />{player.playing ? "Pause" : player.atEnd ? "Replay" : "Play"}
        </button>
        <button type="button" className="button" onClick={() => player.step(1)} title="Next record"><Icon name="forward" /><span className="hidden">Next record</span></button>
        <label className="speed">
          Speed
          <select className="input" value={player.speed} onChange={(e) => player.setSpeed(Number(e.target.value) as Player["speed"])}>
            {speeds.map((speed) => <option key={speed} value={speed}>{speed}×</option>)}
          </select>
        </label>
        <span className="player-at faint">{player.shown} of {count(records.length, "record")}{following && <span className="live" data-state="on">Following</span>}</span>
      </div>
      <div className="track">
        <Marks records={records} track={track} />
        <input
          type="range" min={0} max={Math.max(1, Math.ceil(track.length))} step="any" value={track.length === 0 ? 1 : player.position} aria-label="Position in the recording" aria-valuetext={said}
          onChange={(e) => player.seek(Number(e.target.value) >= Math.ceil(track.length) ? Infinity : Number(e.target.value))}
        />
      </div>
    </div>
  );
}

function Marks({ records, track }: { records: readonly Rec[]; track: Track }) {
  const all = marks(track, (i) => ({ value: toneOf(records[i]!), rank: ranks[toneOf(records[i]!)] }), bins);
  return (
    <svg className="marks" viewBox={`0 0 ${bins} 10`} preserveAspectRatio="none" aria-hidden="true">
      {all.map(({ bin, what }) => <rect key={bin} x={bin} y={what === "neutral" ? 4 : 0} width="1" height={what === "neutral" ? 6 : 10} data-tone={what} />)}
    </svg>
  );
}
