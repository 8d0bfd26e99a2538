import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useSay } from "../ui/toast";

interface Action<In, Out> {
  run: (input: In) => Promise<Out>;
  /** done says what happened, in a sentence. */
  done: (out: Out, input: In) => string;
  /** stale are the keys of what must be loaded again. */
  stale: readonly (readonly unknown[])[];
  after?: (out: Out) => void;
}

/** useAction changes something, says so, and loads again what it changed. */
export function useAction<Out, In = void>({ run, done, stale, after }: Action<In, Out>) {
  const queries = useQueryClient();
  const say = useSay();
  return useMutation({
    mutationFn: run,
    onSuccess: (out, input) => {
      say(done(out, input));
      for (const queryKey of stale) void queries.invalidateQueries({ queryKey });
      after?.(out);
    },
  });
}
