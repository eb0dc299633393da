import * as v from "valibot";
import { findOrCreate } from "../ensure/find-or-create.ts";
import type { AttachResult, FileToAttach } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import type { GiteaContext } from "./context.ts";
import { AttachmentAnswer, AttachmentSettingsAnswer } from "./schemas.ts";

export async function attach(
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
