import { ensureComment } from "../ensure/ensure-comment.ts";
import type { Comment, Forge } from "../forge.ts";
import { pageSize, type GithubContext } from "./context.ts";
import { CommentAnswer } from "./schemas.ts";
import { allPages } from "../http/pages.ts";

type Comments = Pick<Forge, "comments" | "ensureComment" | "editComment" | "attach">;

export function githubComments(context: GithubContext): Comments {
  const { http, repo, user } = context;
  const comments = (number: number, signal: AbortSignal): Promise<readonly Comment[]> => {
    const path = [...repo, "issues", number, "comments"];
    return allPages(http, { path, item: CommentAnswer, pageSize }, signal);
  };
  const editComment = async (id: number, body: string, signal: AbortSignal): Promise<Comment> => {
    const path = [...repo, "issues", "comments", id];
    const call = { method: "PATCH", path, json: { body }, answer: CommentAnswer } as const;
    return (await http.call(call, signal)).value;
  };
  return {
    comments,
    editComment,
    ensureComment: (number, wish, signal) =>
      ensureComment(
        http,
        {
          user,
          list: () => comments(number, signal),
          async create(body) {
            const path = [...repo, "issues", number, "comments"];
            const call = { method: "POST", path, json: { body }, answer: CommentAnswer } as const;
            return (await http.call(call, signal)).value;
          },
          edit: (id, body) => editComment(id, body, signal),
        },
        wish,
        signal,
      ),
    // There are no attachments in GitHub's API.
    attach: async () => ({ type: "refused", reason: "disabled" }),
  };
}
