// Comments on pull requests. Gitea has taken over GitHub's paths and fields for them; only lists differ, which have
// pages on GitHub.
import * as v from "valibot";
import type { Comment, Forge } from "../forge.ts";
import type { RepositoryContext } from "../http/repository-access.ts";
import { findOrCreate } from "./find-or-create.ts";
import { sameText } from "./same-text.ts";

export const CommentAnswer = v.pipe(
  v.object({
    id: v.pipe(v.number(), v.safeInteger()),
    body: v.optional(v.nullable(v.string(), ""), ""),
    // Absent if the account is gone.
    user: v.nullish(v.object({ login: v.string() })),
  }),
  v.transform(({ id, body, user }): Comment => ({ id, body, author: user?.login ?? "" })),
);

/** @param list all comments at this path */
export function issueComments(
  { http, repo, user }: RepositoryContext,
  list: (path: readonly (string | number)[], signal: AbortSignal) => Promise<readonly Comment[]>,
): Pick<Forge, "comments" | "ensureComment" | "editComment"> {
  const pathOf = (number: number): readonly (string | number)[] => [...repo, "issues", number, "comments"];
  const editComment: Forge["editComment"] = async (id, body, signal) => {
    const path = [...repo, "issues", "comments", id];
    const call = { method: "PATCH", path, json: { body }, answer: CommentAnswer } as const;
    return (await http.call(call, signal)).value;
  };
  return {
    comments: (number, signal) => list(pathOf(number), signal),
    editComment,
    async ensureComment(number, { marker, body }, signal) {
      const path = pathOf(number);
      const { value: comment, created } = await findOrCreate(
        http,
        {
          // A comment that only quotes our marker is not edited.
          find: async () =>
            (await list(path, signal)).find((each) => each.author === user && each.body.includes(marker)),
          async create() {
            const call = { method: "POST", path, json: { body }, answer: CommentAnswer } as const;
            return (await http.call(call, signal)).value;
          },
          duplicateStatuses: [],
        },
        signal,
      );
      if (sameText(comment.body, body)) return { type: created ? "created" : "unchanged", comment };
      return { type: created ? "created" : "edited", comment: await editComment(comment.id, body, signal) };
    },
  };
}
