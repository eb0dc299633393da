import type { GiteaDialect } from "./dialect.ts";
import type { Http } from "../http/http.ts";

/** What every call to one repository on Gitea or Forgejo needs. */
export interface GiteaContext {
  readonly http: Http;
  /** `["repos", owner, name]` */
  readonly repo: readonly string[];
  readonly owner: string;
  readonly user: string;
  readonly dialect: GiteaDialect;
}

/** The server gives at most 50 items a page unless its administrator changed that. */
export const pageSize = { parameter: "limit", items: 50 } as const;
