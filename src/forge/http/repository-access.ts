import type { Http } from "./http.ts";

/** Which repository is meant, and the way to it. */
export interface RepositoryAccess {
  readonly http: Http;
  readonly owner: string;
  readonly repo: string;
  /** Its page for people. */
  readonly page: string;
}
