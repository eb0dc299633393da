// So many searches run at once; others wait, and when too many wait, the next is refused.
import { HomelabError } from "../../base/errors.ts";

const atOnce = 2;
const mostWaiting = 20;

export interface SearchTurns {
  /** @throws HomelabError `unavailable` `SEARCH_BUSY` */
  run<T>(search: () => Promise<T>): Promise<T>;
}

export function createSearchTurns(): SearchTurns {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    async run(search) {
      if (running >= atOnce) {
        if (waiting.length >= mostWaiting) {
          throw new HomelabError("unavailable", "too many searches run already", {
            code: "SEARCH_BUSY",
            hint: "search again in a moment",
          });
        }
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      running++;
      try {
        return await search();
      } finally {
        running--;
        waiting.shift()?.();
      }
    },
  };
}
