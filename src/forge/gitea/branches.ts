import type { Commit } from "../../protocol/names.ts";
import type { BranchFacts, Forge, LandResult } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import type { GiteaContext } from "./context.ts";
import { BranchAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";

type Branches = Pick<Forge, "branch" | "deleteBranch" | "moveBranch">;

export function giteaBranches(context: GiteaContext): Branches {
  const { http, repo, dialect } = context;
  const branch: Branches["branch"] = async (name, signal) => readBranch(context, name, signal);
  return {
    branch,
    async deleteBranch(name, signal) {
      try {
        await http.call({ method: "DELETE", path: [...repo, "branches", name], answer: anything }, signal);
        return "deleted";
      } catch (error) {
        if (hasStatus(error, 404)) return "absent";
        throw error;
      }
    },
    async moveBranch({ branch: name, from, to }, signal) {
      if (!dialect.capabilities.casBranch) {
        return { type: "refused", message: `${dialect.kind} ${dialect.version} cannot move a branch` };
      }
      const json = { new_commit_id: to, old_commit_id: from, force: false };
      try {
        await http.call({ method: "PUT", path: [...repo, "branches", name], json, answer: anything }, signal);
        return { type: "landed" };
      } catch (error) {
        if (hasStatus(error, 403)) return { type: "refused", message: error.message };
        // 422: it is not at `from`, or this is no step forward; 500: the race was lost in the last moment.
        if (!hasStatus(error, 409, 422, 500)) throw error;
        return whereItIs(context, { name, from, to, error }, signal);
      }
    },
  };
}

export async function readBranch(
  { http, repo }: GiteaContext,
  name: string,
  signal: AbortSignal,
): Promise<BranchFacts | undefined> {
  try {
    const path = [...repo, "branches", name];
    return (await http.call({ method: "GET", path, answer: BranchAnswer }, signal)).value;
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

interface Move {
  readonly name: string;
  readonly from: Commit;
  readonly to: Commit;
  readonly error: Error;
}

/** The words of a failed move do not say why; the branch does. */
async function whereItIs(
  context: GiteaContext,
  { name, from, to, error }: Move,
  signal: AbortSignal,
): Promise<LandResult> {
  const now = await readBranch(context, name, signal);
  if (now?.commit === to) return { type: "landed" };
  if (now?.commit !== from) return { type: "moved" };
  return { type: "refused", message: error.message };
}
