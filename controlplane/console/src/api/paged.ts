import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

interface Answer {
  nextPageToken: string;
}

export interface Paging<A extends Answer, T> {
  key: readonly unknown[];
  load: (token: string, signal: AbortSignal) => Promise<A>;
  rows: (answer: A) => readonly T[];
  /**
   * every is how often to load again, in milliseconds; the more pages there are, the less often. Each call is recorded, so
   * lists are loaded no more often than people look.
   */
  every?: number;
}

/** Paged is a list that has come so far, page by page. */
export interface Paged<A, T> {
  rows: readonly T[];
  last?: A;
  /** pages is how many have come. */
  pages: number;
  pending: boolean;
  error: unknown;
  /** more loads the next page; undefined when there is none. */
  more?: () => void;
  loadingMore: boolean;
  again: () => void;
}

const longestPause = 60_000;

/** usePaged loads a list page by page. */
export function usePaged<A extends Answer, T>({ key, load, rows, every }: Paging<A, T>): Paged<A, T> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => load(pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (answer: A) => answer.nextPageToken || undefined,
    refetchInterval: ({ state }) => (every ? Math.min(longestPause, every * (state.data?.pages.length ?? 1)) : false),
  });
  const { data, hasNextPage, isFetchingNextPage, isFetching, fetchNextPage, refetch } = query;
  const flat = useMemo(() => data?.pages.flatMap(rows) ?? [], [data]);
  return {
    rows: flat,
    last: data?.pages.at(-1),
    pages: data?.pages.length ?? 0,
    pending: query.isPending,
    error: query.error,
    more: hasNextPage ? () => void (isFetching || fetchNextPage()) : undefined,
    loadingMore: isFetchingNextPage,
    again: () => void refetch(),
  };
}
