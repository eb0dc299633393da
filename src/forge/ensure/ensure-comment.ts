import { findOrCreate } from "./find-or-create.ts";
import type { Comment, CommentWish, EnsuredComment } from "../forge.ts";
import type { Http } from "../http/http.ts";
import { sameText } from "./same-text.ts";

export interface CommentCalls {
  /** Whose comments are ours. */
  readonly user: string;
  readonly list: () => Promise<readonly Comment[]>;
  readonly create: (body: string) => Promise<Comment>;
  readonly edit: (id: number, body: string) => Promise<Comment>;
}

/** Finds our comment by its marker, creates it, or edits it. Who quotes our marker does not get edited. */
export async function ensureComment(
  http: Pick<Http, "clock">,
  { user, list, create, edit }: CommentCalls,
  { marker, body }: CommentWish,
  signal: AbortSignal,
): Promise<EnsuredComment> {
  const { value: comment, created } = await findOrCreate(
    http,
    {
      find: async () => (await list()).find((each) => each.author === user && each.body.includes(marker)),
      create: () => create(body),
      duplicateStatuses: [],
    },
    signal,
  );
  if (sameText(comment.body, body)) return { type: created ? "created" : "unchanged", comment };
  return { type: created ? "created" : "edited", comment: await edit(comment.id, body) };
}
