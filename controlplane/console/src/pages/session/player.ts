import { useEffect, useRef, useState } from "react";
import { reached, type Track } from "../../text/playback";

export const speeds = [1, 2, 5, 20] as const;
export type Speed = (typeof speeds)[number];

/** Player is what the buttons of a replay do. At the end it follows whatever is added. */
export interface Player {
  playing: boolean;
  position: number;
  /** shown is how many records have been played. */
  shown: number;
  atEnd: boolean;
  speed: Speed;
  setSpeed: (speed: Speed) => void;
  toggle: () => void;
  seek: (position: number) => void;
  /** playFrom plays from a record on. */
  playFrom: (index: number) => void;
  /** step goes to the next or the previous record. */
  step: (by: 1 | -1) => void;
}

/** usePlayer plays a track. It begins at the end, where all is shown; play begins anew from there. */
export function usePlayer(track: Track): Player {
  const [position, setPosition] = useState(Infinity);
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState<Speed>(1);
  const atEnd = position >= track.length;
  const shown = atEnd ? track.at.length : reached(track, position);
  useFrames(playing, (ms) => setPosition((old) => Math.min(old + ms * speed, Number.MAX_VALUE)));
  useEffect(() => {
    if (playing && atEnd) {
      setPlaying(false);
      setPosition(Infinity);
    }
  }, [playing, atEnd]);
  return {
    playing, shown, atEnd, speed, setSpeed,
    position: Math.min(position, track.length),
    toggle: () => {
      if (!playing && atEnd) setPosition(0);
      setPlaying(!playing);
    },
    seek: (to) => setPosition(to >= track.length ? Infinity : to),
    playFrom: (index) => {
      setPosition(track.at[index] ?? 0);
      setPlaying(true);
    },
    step: (by) => {
      setPlaying(false);
      const at = track.at[by > 0 ? shown : shown - 2];
      setPosition(at ?? (by > 0 ? Infinity : 0));
    },
  };
}

function useFrames(on: boolean, tick: (ms: number) => void) {
  const latest = useRef(tick);
  latest.current = tick;
  useEffect(() => {
    if (!on) return;
    let last = performance.now();
    let asked = requestAnimationFrame(function frame(now) {
      latest.current(now - last);
      last = now;
      asked = requestAnimationFrame(frame);
    });
    return () => cancelAnimationFrame(asked);
  }, [on]);
}
