import type { Http } from "../http/http.ts";

/** What every call to one repository on GitHub needs. */
export interface GithubContext {
  readonly http: Http;
  /** `["repos", owner, name]` */
  readonly repo: readonly string[];
  readonly owner: string;
  readonly user: string;
}

export const pageSize = { parameter: "per_page", items: 100 } as const;
