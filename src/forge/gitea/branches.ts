import type { Forge } from "../forge.ts";
import { hasStatus } from "../http/forge-error.ts";
import type { GiteaContext } from "./context.ts";
import { BranchAnswer } from "./schemas.ts";
import { anything } from "../http/http.ts";
import { findBranch } from "../http/repository-access.ts";

export const giteaBranches = (context: GiteaContext): Pick<Forge, "branch" | "deleteBranch"> => ({
  branch: async (name, signal) => findBranch(context, name, BranchAnswer, signal),
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
