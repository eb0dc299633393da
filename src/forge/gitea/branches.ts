import type { BranchFacts, Forge } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import type { GiteaContext } from "./context.ts";
import { BranchAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";

export const giteaBranches = (context: GiteaContext): Pick<Forge, "branch" | "deleteBranch"> => ({
  branch: async (name, signal) => readBranch(context, name, signal),
  async deleteBranch(name, signal) {
    const { http, repo } = context;
    try {
      await http.call({ method: "DELETE", path: [...repo, "branches", name], answer: anything }, signal);
      return "deleted";
    } catch (error) {
      if (hasStatus(error, 404)) return "absent";
      throw error;
    }
  },
});

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
