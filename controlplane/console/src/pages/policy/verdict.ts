import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { useClients } from "../../api/clients";
import type { Problem, TestResult } from "../../gen/access/v1/policies_pb";
import { encode, type Files } from "../../text/bundle";
import type { Spot } from "../../text/diagnostics";
import { useSettled } from "../../ui/settled";

/** Verdict is what the control plane says about a bundle: its problems, and how its own tests ended. */
export interface Verdict {
  problems: Problem[];
  tests: TestResult[];
  /** spots are all of it that has a place in a file. */
  spots: Spot[];
  /** checked says whether it is about the bundle as it is now. */
  checked: boolean;
  ok: boolean;
  error: unknown;
}

/** useVerdict has a bundle checked and tested whenever it rests for a moment. */
export function useVerdict(files: Files): Verdict {
  const { policies } = useClients();
  const settled = useSettled(files, 500);
  const asked = useQuery({
    queryKey: ["policy", "test", settled],
    queryFn: ({ signal }) => policies.testPolicy({ bundle: { files: encode(settled) } }, { signal }),
    placeholderData: (before) => before,
    staleTime: Infinity,
    gcTime: 60_000,
  });
  const checked = asked.data !== undefined && !asked.isPlaceholderData && JSON.stringify(settled) === JSON.stringify(files);
  return useMemo(() => {
    const problems = asked.data?.problems ?? [];
    const tests = asked.data?.tests ?? [];
    const ok = checked && problems.length === 0 && tests.every((t) => t.passed);
    return { problems, tests, spots: spotsOf(problems, tests), checked, ok, error: asked.error };
  }, [asked.data, asked.error, checked]);
}

export function spotsOf(problems: readonly Problem[], tests: readonly TestResult[]): Spot[] {
  const failed = tests.filter((t) => !t.passed);
  return [
    ...problems.map(({ file, line, column, message, hint }) => ({ file, line, column, message, hint })),
    ...failed.map(({ file, line, name, detail }) => ({ file, line, column: 0, message: `Test failed: ${name}`, hint: detail })),
  ];
}
