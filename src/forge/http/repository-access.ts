import type { Forge } from "../forge.ts";
import type { Http } from "./http.ts";

/** Which repository is meant, and the way to it. */
export interface RepositoryAccess {
  readonly http: Http;
  readonly owner: string;
  readonly repo: string;
  /** Its page for people, such as `https://git.example/sub/owner/name`. */
  readonly page: string;
}

/** Pages below it that are the same on every forge. */
export const webUrls = (page: string): Forge["web"] => ({
  repository: page,
  commit: (commit) => `${page}/commit/${commit}`,
});
