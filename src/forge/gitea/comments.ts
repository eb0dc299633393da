import * as v from "valibot";
import { ensureComment } from "../ensure/ensure-comment.ts";
import { findOrCreate } from "../ensure/find-or-create.ts";
import type { AttachResult, Comment, FileToAttach, Forge } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import type { GiteaContext } from "./context.ts";
import { AttachmentAnswer, AttachmentSettingsAnswer, CommentAnswer } from "./schemas.ts";

type Comments = Pick<Forge, "comments" | "ensureComment" | "editComment" | "attach">;

export function giteaComments(context: GiteaContext): Comments {
  const { http, repo, user } = context;
  const comments = async (number: number, signal: AbortSignal): Promise<readonly Comment[]> => {
    // Comes whole: this list has no pages.
    const path = [...repo, "issues", number, "comments"];
    return (await http.call({ method: "GET", path, answer: v.array(CommentAnswer) }, signal)).value;
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
    attach: (commentId, file, signal) => attach(context, commentId, file, signal),
  };
}

async function attach(
  context: GiteaContext,
  commentId: number,
  file: FileToAttach,
  signal: AbortSignal,
): Promise<AttachResult> {
  const { http, repo } = context;
  const refusal = await refusalBySettings(context, file, signal);
  if (refusal !== undefined) return refusal;
  const path = [...repo, "issues", "comments", commentId, "assets"];
  try {
    const { created } = await findOrCreate(
      http,
      {
        async find() {
          const { value: attached } = await http.call(
            { method: "GET", path, answer: v.array(AttachmentAnswer) },
            signal,
          );
          return attached.find(({ name }) => name === file.name);
        },
        async create() {
          const answer = await http.call(
            {
              method: "POST",
              path,
              query: { name: file.name },
              file: { field: "attachment", name: file.name, bytes: file.bytes },
              answer: AttachmentAnswer,
            },
            signal,
          );
          return answer.value;
        },
        duplicateStatuses: [],
      },
      signal,
    );
    return { type: created ? "attached" : "already-there" };
  } catch (error) {
    const refusedNow = refusalOf(error);
    if (refusedNow === undefined) throw error;
    return refusedNow;
  }
}

/** Asking first saves sending what will be refused; Gitea before 1.25 does not check sizes itself. */
async function refusalBySettings(
  { http }: GiteaContext,
  { bytes }: FileToAttach,
  signal: AbortSignal,
): Promise<AttachResult | undefined> {
  const { value: settings } = await http.call(
    { method: "GET", path: ["settings", "attachment"], answer: AttachmentSettingsAnswer },
    signal,
  );
  if (!settings.enabled) return refused("disabled");
  if (bytes.byteLength > settings.max_size * 1024 * 1024) {
    return refused("too-large");
  }
  return undefined;
}

function refusalOf(error: unknown): AttachResult | undefined {
  if (hasStatus(error, 404)) return refused("disabled");
  if (hasStatus(error, 413)) return refused("too-large");
  if (hasStatus(error, 422)) return refused("file-type");
  return undefined;
}

const refused = (reason: "disabled" | "too-large" | "file-type"): AttachResult => ({
  type: "refused",
  reason,
});
