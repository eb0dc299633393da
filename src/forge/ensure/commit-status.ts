import { findOrCreate } from "./find-or-create.ts";
import type { CommitStatusWish } from "../forge.ts";
import type { Http } from "../http/http.ts";

/** As the forge has it. */
export interface StoredStatus {
  readonly context: string;
  readonly state: string;
  readonly description: string;
  readonly url: string;
}

export interface StatusCalls {
  /** The newest of each context. */
  readonly list: () => Promise<readonly StoredStatus[]>;
  readonly create: (wish: CommitStatusWish) => Promise<unknown>;
}

/** What GitHub takes; Gitea has no limit. */
const maxDescriptionLength = 140;

/** Says it again only when its last word was another one. */
export async function ensureStatus(
  http: Pick<Http, "clock">,
  { list, create }: StatusCalls,
  { description: whole, ...rest }: CommitStatusWish,
  signal: AbortSignal,
): Promise<void> {
  const description = whole.slice(0, maxDescriptionLength).toWellFormed();
  const wish = { ...rest, description };
  await findOrCreate<unknown>(
    http,
    {
      find: async () =>
        (await list()).find(
          (each) =>
            each.context === wish.context &&
            each.state === wish.state &&
            each.description === description &&
            each.url === (wish.url ?? ""),
        ),
      create: async () => create(wish),
      duplicateStatuses: [],
    },
    signal,
  );
}
