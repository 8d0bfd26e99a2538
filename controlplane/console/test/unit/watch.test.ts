import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { Watch } from "../../src/api/watch";
import { ApprovalSchema, WatchApprovalsResponseSchema, type Approval, type WatchApprovalsResponse } from "../../src/gen/access/v1/approvals_pb";
import { RequestState } from "../../src/gen/access/v1/requests_pb";

const request = (id: string, state = RequestState.PENDING): Approval => create(ApprovalSchema, { canVote: true, subject: { case: "request", value: { id, state } } });
const says = (approvals: Approval[], complete = false): WatchApprovalsResponse => create(WatchApprovalsResponseSchema, { approvals, complete });

/** play runs a watch over streams, one after the other; a stream is its messages, then how it ends. */
async function play(streams: (WatchApprovalsResponse | Error)[][]) {
  const waits: number[] = [];
  let round = 0;
  const seen: string[] = [];
  const watch = new Watch({
    async *stream() {
      for (const message of streams[round++] ?? []) {
        if (message instanceof Error) throw message;
        yield message;
      }
    },
    wait: async (ms) => {
      waits.push(ms);
      if (round >= streams.length) watch.close();
    },
  });
  watch.subscribe(() => {
    const { byID, ready, live } = watch.snapshot();
    seen.push(`${[...byID.keys()].join(",")}${ready ? " ready" : ""}${live ? " live" : ""}`);
  });
  await watch.run();
  return { inbox: watch.snapshot(), waits, seen };
}

test("nothing is shown before all of it has arrived", async () => {
  const { seen } = await play([[says([request("a")]), says([request("b")], true), says([request("c")])]]);
  expect(seen).toEqual(["a,b ready live", "a,b,c ready live", "a,b,c ready"]);
});

test("after a new beginning, what no longer waits is gone, and what was decided stays", async () => {
  const { inbox } = await play([
    [says([request("a"), request("b")], true), says([request("b", RequestState.GRANTED)])],
    [says([request("c")], true)],
  ]);
  expect([...inbox.byID.keys()]).toEqual(["c", "b"]);
});

test("failures pause longer each time, and a word from the server ends that", async () => {
  const down = new ConnectError("down", Code.Unavailable);
  const { waits, inbox } = await play([[down], [down], [down], [says([], true)], [says([], true), down]]);
  expect(waits).toEqual([1000, 2000, 4000, 500, 500]);
  expect([inbox.ready, inbox.live, inbox.problem?.code]).toEqual([true, false, Code.Unavailable]);
});

test("a problem goes away with the next word", async () => {
  const { inbox } = await play([[new ConnectError("down", Code.Unavailable)], [says([], true)]]);
  expect(inbox.problem).toBeUndefined();
});
