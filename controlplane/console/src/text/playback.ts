/** Track is where each record of a recording lies, in milliseconds of playing, and how long all of it is. */
export interface Track {
  at: readonly number[];
  length: number;
}

/** longestPause bounds the wait between two records, however long the session rested. */
export const longestPause = 3_000;

/** track lays records out by their times, in milliseconds. Times that go back take no time. */
export function track(times: readonly number[]): Track {
  const at: number[] = [];
  let position = 0;
  let last = times[0] ?? 0;
  for (const time of times) {
    const known = time > 0 ? time : last; // what is said about the recording has no time of its own
    position += Math.min(Math.max(0, known - last), longestPause);
    last = Math.max(last, known);
    at.push(position);
  }
  return { at, length: position };
}

/** reached says how many records have been played at a position. */
export function reached({ at }: Track, position: number): number {
  let low = 0;
  let high = at.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at[middle]! <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Mark is a stretch of the timeline with the worst that happened in it. */
export interface Mark<T> {
  bin: number;
  what: T;
}

/** marks puts records into at most so many stretches; of those in one stretch the one of the highest rank counts. */
export function marks<T>({ at, length }: Track, what: (index: number) => { value: T; rank: number }, bins = 240): Mark<T>[] {
  const best = new Map<number, { value: T; rank: number }>();
  at.forEach((position, i) => {
    const bin = length > 0 ? Math.min(bins - 1, Math.floor((position / length) * bins)) : 0;
    const found = what(i);
    const old = best.get(bin);
    if (!old || found.rank > old.rank) best.set(bin, found);
  });
  return [...best].map(([bin, { value }]) => ({ bin, what: value }));
}
