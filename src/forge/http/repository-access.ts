import type * as v from "valibot";
import type { BranchFacts, Forge } from "../forge.ts";
import { hasStatus } from "./forge-error.ts";
import type { Http } from "./http.ts";

/** Which repository is meant, and the way to it. */
export interface RepositoryAccess {
  readonly http: Http;
  readonly owner: string;
  readonly repo: string;
  /** Its page for people, such as `https://git.example/sub/owner/name`. */
  readonly page: string;
}

/** What every call to one repository needs. */
export interface RepositoryContext {
  readonly http: Http;
  /** `["repos", owner, name]` */
  readonly repo: readonly string[];
  readonly owner: string;
  /** Login of the token's user. */
  readonly user: string;
}

/** Pages below it that are the same on every forge. */
export const webUrls = (page: string): Forge["web"] => ({
  repository: page,
  commit: (commit) => `${page}/commit/${commit}`,
});

/** Undefined when there is no such branch. */
export async function findBranch(
  { http, repo }: RepositoryContext,
  name: string,
  answer: v.GenericSchema<unknown, BranchFacts>,
  signal: AbortSignal,
): Promise<BranchFacts | undefined> {
  try {
    return (await http.call({ method: "GET", path: [...repo, "branches", name], answer }, signal)).value;
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}
