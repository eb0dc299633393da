// What a cache says about a path, against what is known about it: pure, but for the arithmetic of signatures.
import type { PathFacts } from "../protocol/store-paths/path-facts.ts";
import type { StorePath } from "../protocol/names.ts";
import type { CacheAnswer } from "./cache-answer.ts";
import type { PathProblem } from "./path-problem.ts";
import { fingerprintOf, parseNarInfo, type NarInfo } from "./narinfo.ts";
import { judgeSignatures, type TrustedKey, type TrustedKeys } from "./public-keys.ts";

/** A narinfo names every reference: a system with a thousand packages has one of 60 KiB. */
export const maxNarInfoBytes = 1024 * 1024;

export type NarInfoJudgement =
  | { readonly type: "good"; readonly narInfo: NarInfo; readonly signedBy: TrustedKey }
  | {
      readonly type: "fault";
      readonly problem: PathProblem;
      readonly detail: string;
      /** What the cache says nevertheless, where it is readable. */
      readonly narInfo?: NarInfo;
    };

/**
 * Judges the answer to the question for a path's narinfo. A signature comes before anything that it covers: what is
 * not signed could be anybody's.
 *
 * @param facts of this machine's store; absent where it has none of the path
 */
export async function judgeNarInfo(
  path: StorePath,
  facts: PathFacts | undefined,
  { status, body, isCutOff, isWebPage = false }: CacheAnswer,
  keys: TrustedKeys,
): Promise<NarInfoJudgement> {
  const fault = (problem: PathProblem, detail: string, narInfo?: NarInfo): NarInfoJudgement => ({
    type: "fault",
    problem,
    detail,
    narInfo,
  });
  if (status === 404 || status === 410) return fault("missing", `it has no narinfo (HTTP ${status})`);
  if (status !== 200) return fault("refused", `its narinfo is refused (HTTP ${status})`);
  if (isCutOff) return fault("corrupt", `its narinfo ends after ${body.byteLength} bytes`);
  let narInfo: NarInfo;
  try {
    narInfo = parseNarInfo(new TextDecoder().decode(body));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    if (isWebPage) return fault("refused", "a web page is served in place of its narinfo");
    return fault("corrupt", `its narinfo cannot be read: ${error.message}`);
  }
  if (narInfo.storePath !== path) return fault("corrupt", "its narinfo is that of another path");
  const judgement = await judgeSignatures(fingerprintOf(narInfo), narInfo.signatures, keys);
  if (judgement.type === "unsigned") return fault("unsigned", "its narinfo has no signature", narInfo);
  if (judgement.type === "wrong") return fault("wrongly-signed", judgement.reason, narInfo);
  const difference = facts === undefined ? undefined : differenceOf(narInfo, facts);
  if (difference !== undefined) return fault("stale", difference, narInfo);
  return { type: "good", narInfo, signedBy: judgement.by };
}

/** In what the cache's path is another one than ours of the same name. */
function differenceOf(narInfo: NarInfo, facts: PathFacts): string | undefined {
  if (narInfo.narHash !== facts.narHash)
    return `the cache has another content of it: ${narInfo.narHash}, and the store ${facts.narHash}`;
  if (narInfo.narSize !== facts.narSize)
    return `the cache says ${narInfo.narSize} bytes, and the store ${facts.narSize}`;
  const isSame =
    narInfo.references.length === facts.references.length &&
    narInfo.references.every((reference, index) => reference === facts.references[index]);
  return isSame ? undefined : "the cache has it with other references than the store";
}
