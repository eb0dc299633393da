// What the routes of Gitea share.
import type { ApiCall, ApiContext, Refusal } from "./api.ts";
import type { Pull, User } from "./forge-state.ts";
import type { GiteaJson } from "./gitea-json.ts";

export interface GiteaApi extends ApiContext {
  readonly version: string;
  readonly kind: "gitea" | "forgejo";
  readonly json: GiteaJson;
  readonly repository: string;
  readonly refuse: (status: number, message: string) => Refusal;
  readonly writer: (call: ApiCall) => User;
  readonly pull: (call: ApiCall) => Pull;
}

/** `1.26` is at least 26. */
export const isFrom = ({ kind, version }: GiteaApi, minor: number): boolean =>
  kind === "gitea" && Number(version.split(".")[1]) >= minor;

export const mostItemsOfAPage = 50;
