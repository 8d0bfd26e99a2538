import { durationFromMs, durationMs, type Duration } from "@bufbuild/protobuf/wkt";
import { span } from "./time";

/** spanOf gives a duration of a message in words. */
export function spanOf(duration: Duration): string {
  return span(durationMs(duration));
}

export { durationFromMs as toDuration, durationMs as toMs };
