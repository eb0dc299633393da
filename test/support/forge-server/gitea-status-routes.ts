import { pageOf, type Route, route, text } from "./api.ts";
import type { CommitStatus, ForgeState } from "./forge-state.ts";
import { type GiteaApi, mostItemsOfAPage } from "./gitea-api.ts";

export function giteaStatusRoutes({ state, repository, refuse, writer }: GiteaApi): Route[] {
  const shown = (status: CommitStatus): object => ({
    id: state.statuses.indexOf(status) + 1,
    context: status.context,
    // It is sent as `state`.
    status: status.state,
    description: status.description,
    target_url: status.url,
  });
  return [
    route("POST", `${repository}/statuses/{sha}`, async (call) => {
      writer(call);
      const commit = call.values["sha"] ?? "";
      // A commit that it does not have is no error that it knows.
      await state.git("cat-file", "-e", `${commit}^{commit}`).catch(() => {
        throw refuse(500, "");
      });
      const status = {
        commit,
        context: text(call.json["context"]),
        state: text(call.json["state"]),
        description: text(call.json["description"]),
        url: text(call.json["target_url"]),
      };
      state.statuses.push(status);
      return { status: 201, json: shown(status) };
    }),
    route("GET", `${repository}/commits/{ref}/status`, ({ values, query }) => {
      const newest = newestStatuses(state, values["ref"] ?? "");
      return {
        status: 200,
        json: {
          sha: values["ref"],
          state: newest[0]?.state ?? "pending",
          total_count: newest.length,
          ...(newest.length === 0
            ? {} // really null, against its description
            : { statuses: pageOf(newest, query, "limit", mostItemsOfAPage).items.map(shown) }),
        },
      };
    }),
  ];
}

/** Of each context. */
export function newestStatuses({ statuses }: ForgeState, commit: string): readonly CommitStatus[] {
  const of = statuses.filter((status) => status.commit === commit);
  return [...new Map(of.map((status) => [status.context, status])).values()];
}
