import { gitWords } from "./remote-error.ts";

/** One line of `git push --porcelain`: a flag, `from:to`, and a summary, separated by tabs (git-push(1), OUTPUT). */
const line = /^(?<flag>[ +\-*!=])\t(?<refs>[^\t]*)\t(?<summary>.*)$/gm;

export type PushOutput =
  | { readonly type: "pushed" }
  | { readonly type: "moved" }
  | { readonly type: "refused"; readonly reason: string }
  /** No answer that says what happened to it. */
  | { readonly type: "unknown" };

/**
 * What git says about a push. `[rejected]` is git's own check that the ref has the expected value; `[remote rejected]`
 * is the server's hook or protection, but for a lock that somebody else's push holds.
 */
export function parsePushOutput(stdout: string, stderr: string, exitCode: number | undefined): PushOutput {
  const lines = [...stdout.matchAll(line)].map(({ groups }) => ({
    flag: groups?.["flag"] ?? "",
    summary: groups?.["summary"] ?? "",
  }));
  if (exitCode === 0 && lines.length > 0 && lines.every(({ flag }) => flag !== "!"))
    return { type: "pushed" };
  const failed = lines.filter(({ flag }) => flag === "!").map(({ summary }) => summary);
  if (failed.some(isRace)) return { type: "moved" };
  const refused = failed.find((summary) => summary.startsWith("[remote rejected]"));
  if (refused !== undefined) {
    const said = remoteWords(stderr);
    return { type: "refused", reason: said === "" ? refused.slice("[remote rejected] ".length) : said };
  }
  return { type: "unknown" };
}

/** Somebody else moved the ref: before our push, or in the same moment. */
const isRace = (summary: string): boolean =>
  summary.startsWith("[rejected]") ||
  /^\[remote rejected\] \((?:failed to update ref|failed to lock|cannot lock ref|incorrect old value|reference already exists|atomic transaction failed)/.test(
    summary,
  );

/** What a hook said, in one line. Gitea puts it between two lines with `error:` alone, and that word before it. */
function remoteWords(stderr: string): string {
  const said = stderr
    .split("\n")
    .filter((text) => text.startsWith("remote: "))
    .map((text) => text.replace(/^remote: (?:error:)?/, "").trim())
    .filter((text) => text !== "");
  return said.length === 0 ? "" : gitWords(said.slice(0, 5).join("; "));
}
